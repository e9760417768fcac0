#include "client/checkpoint_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CheckpointSelectionTest : public testing::Test {
 protected:
  CheckpointSelectionTest() {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("selection-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "model");
  }
  ~CheckpointSelectionTest() override { std::filesystem::remove_all(folder_); }

  void Put(const std::string& path) {
    std::filesystem::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << "x";
  }
  CheckpointSelection Select(const std::string& path = "model") {
    const auto selection = SelectCheckpoint((folder_ / path).string());
    EXPECT_TRUE(selection.ok()) << selection.status();
    return selection.ok() ? *selection : CheckpointSelection();
  }
  std::vector<std::string> Paths(const CheckpointSelection& selection) {
    std::vector<std::string> paths;
    for (const auto& file : selection.files) paths.push_back(file.path);
    return paths;
  }
  absl::StatusCode Code(const std::string& path = "model") {
    return SelectCheckpoint((folder_ / path).string()).status().code();
  }

  std::filesystem::path folder_;
};

TEST_F(CheckpointSelectionTest, TakesWhatAHuggingFaceModelIsMadeOf) {
  for (const char* file :
       {"config.json", "model.safetensors", "tokenizer.json", "tokenizer.model", "chat_template.jinja"})
    Put(std::string("model/") + file);
  const CheckpointSelection selection = Select();
  EXPECT_EQ(selection.name, "model");
  EXPECT_THAT(Paths(selection), ElementsAre("chat_template.jinja", "config.json", "model.safetensors",
                                            "tokenizer.json", "tokenizer.model"));
  EXPECT_THAT(selection.skipped, IsEmpty());
}

TEST_F(CheckpointSelectionTest, SaysWhatItLeavesOut) {
  for (const char* file : {"config.json", "model.safetensors", "pytorch_model.bin", "original/params.json"})
    Put(std::string("model/") + file);
  const CheckpointSelection selection = Select();
  EXPECT_THAT(Paths(selection), ElementsAre("config.json", "model.safetensors"));
  EXPECT_THAT(selection.skipped, testing::Contains(HasSubstr("pytorch_model.bin")));
}

TEST_F(CheckpointSelectionTest, TakesOneGgufFileAloneOrInItsFolder) {
  Put("model/tiny.gguf");
  EXPECT_THAT(Paths(Select()), ElementsAre("tiny.gguf"));
  const CheckpointSelection selection = Select("model/tiny.gguf");
  EXPECT_THAT(Paths(selection), ElementsAre("tiny.gguf"));
  EXPECT_EQ(selection.name, "tiny");
}

TEST_F(CheckpointSelectionTest, HiddenFilesAndLinksOutOfTheFolderStayOut) {
  for (const char* file :
       {"model/config.json", "model/model.safetensors", "model/.secret.json", "outside.json"})
    Put(file);
  std::filesystem::create_symlink(folder_ / "outside.json", folder_ / "model" / "tokenizer.json");
  EXPECT_THAT(Paths(Select()), ElementsAre("config.json", "model.safetensors"));
}

TEST_F(CheckpointSelectionTest, RefusesWhatHoldsNoWeightsOrSeveralModels) {
  EXPECT_EQ(Code("nowhere"), absl::StatusCode::kNotFound);
  EXPECT_EQ(Code(), absl::StatusCode::kInvalidArgument);
  Put("model/config.json");
  EXPECT_EQ(Code(), absl::StatusCode::kInvalidArgument);
  std::filesystem::remove(folder_ / "model" / "config.json");
  Put("model/a.gguf");
  Put("model/b.gguf");
  EXPECT_EQ(Code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quantd
