// Whole jobs, from targets to objects, and what a failed one leaves: nothing.
#include "workers/engine/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "base/status.h"
#include "storage/objects/memory_store.h"
#include "tests/unit/engine/engine_test_model.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class JobTest : public EngineTestModel {
 protected:
  JobTest() { options_.artifact_prefix = "jobs/1"; }

  absl::StatusOr<std::vector<TargetOutcome>> Run(const std::vector<TargetSpec>& targets) {
    return RunJob(Open(), targets, *store_, options_);
  }
  std::vector<std::string> Keys() {
    std::vector<std::string> keys;
    const auto objects = store_->List("");
    for (const ObjectInfo& object : *objects) keys.push_back(object.key);
    return keys;
  }
  std::string Read(const std::string& key) {
    const auto file = store_->OpenForRead(key);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *ReadAll(**file, 1 << 24) : "";
  }

  std::unique_ptr<ObjectStore> store_ = OpenMemoryStore();
  JobOptions options_;
};

TEST_F(JobTest, WritesEveryTargetIntoADirectoryOfItsOwn) {
  const auto outcomes =
      Run({{"gguf", "Q4_0", {}}, {"mlx", "int4", {}}, {"gguf", "Q4_0", {{"pure", "true"}}}});
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  EXPECT_THAT(Keys(),
              ElementsAre("jobs/1/gguf-Q4_0-2/quantd-manifest.json", "jobs/1/gguf-Q4_0-2/test-Q4_0.gguf",
                          "jobs/1/gguf-Q4_0/quantd-manifest.json", "jobs/1/gguf-Q4_0/test-Q4_0.gguf",
                          "jobs/1/mlx-int4/config.json", "jobs/1/mlx-int4/model.safetensors",
                          "jobs/1/mlx-int4/quantd-manifest.json", "jobs/1/mlx-int4/tokenizer.json",
                          "jobs/1/mlx-int4/tokenizer_config.json"));
}

TEST_F(JobTest, ReportsDigestsSizesAndErrors) {
  const auto outcomes = Run({{"gguf", "Q4_0", {}}, {"safetensors", "fp32", {}}});
  ASSERT_TRUE(outcomes.ok());
  for (const TargetOutcome& outcome : *outcomes) {
    for (const StoredFile& file : outcome.files) {
      const std::string bytes = Read(file.object_key);
      EXPECT_EQ(file.size, static_cast<int64_t>(bytes.size())) << file.path;
      EXPECT_EQ(file.sha256, Sha256Hex(bytes)) << file.path;
    }
    EXPECT_EQ(outcome.tensor_count, 21);
  }
  EXPECT_GT((*outcomes)[0].relative_error, 0.01);
  EXPECT_LT((*outcomes)[0].relative_error, 0.2);
  EXPECT_GT((*outcomes)[0].max_error, 0.0);
  EXPECT_EQ((*outcomes)[1].relative_error, 0.0);
  EXPECT_EQ((*outcomes)[1].bits_per_weight, 32.0);
}

TEST_F(JobTest, TheManifestTellsTheRecipeAndEveryFile) {
  options_.sources = {{"model.safetensors", "abc", 5}};
  ASSERT_TRUE(Run({{"gguf", "Q4_0", {{"pure", "true"}}}}).ok());
  const Json manifest = Json::parse(Read("jobs/1/gguf-Q4_0/quantd-manifest.json"));
  EXPECT_EQ(manifest["engine_version"], kEngineVersion);
  EXPECT_EQ(manifest["recipe"]["scheme"], "Q4_0");
  EXPECT_EQ(manifest["recipe"]["options"][0]["name"], "pure");
  EXPECT_EQ(manifest["sources"][0]["sha256"], "abc");
  ASSERT_EQ(manifest["files"].size(), 1u);
  EXPECT_EQ(manifest["files"][0]["sha256"], Sha256Hex(Read("jobs/1/gguf-Q4_0/test-Q4_0.gguf")));
  EXPECT_EQ(manifest["tensors"].size(), 21u);
}

TEST_F(JobTest, ThePlanTellsWhatTheJobWillWrite) {
  const std::vector<TargetSpec> targets = {{"gguf", "Q4_K_M", {}}, {"mlx", "int3", {}}};
  const auto plan = PlanJob(Open(), targets, {.threads = 2});
  ASSERT_TRUE(plan.ok());
  ASSERT_TRUE(Run(targets).ok());
  int64_t written = 0;
  const auto objects = store_->List("");
  for (const ObjectInfo& object : *objects) {
    if (!object.key.ends_with(kManifestName)) written += static_cast<int64_t>(object.size);
  }
  EXPECT_EQ(plan->disk_bytes, written);
  EXPECT_GT(plan->memory_bytes, 0);
  EXPECT_GT(plan->source_bytes, 0);
}

TEST_F(JobTest, AWeightThatIsNotFiniteLeavesNothing) {
  SetWeight("lm_head.weight", 7, 0x7fc0);
  const absl::Status status = Run({{"gguf", "Q4_0", {}}, {"mlx", "int4", {}}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("lm_head.weight"), HasSubstr("index 7")));
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(JobTest, CancellingInAnyStageLeavesNothing) {
  for (const char* stage : {"plan", "quantize", "verify"}) {
    bool asked = false;
    options_.on_progress = [&](const JobProgressReport& report) {
      asked = asked || report.stage == stage;
      return report.stage != stage;
    };
    EXPECT_EQ(Run({{"gguf", "Q4_0", {}}, {"mlx", "int4", {}}}).status().code(), absl::StatusCode::kCancelled);
    EXPECT_TRUE(asked) << stage;
    EXPECT_THAT(Keys(), IsEmpty()) << stage;
  }
}

TEST_F(JobTest, NamesTheTargetWhoseFieldIsWrong) {
  const std::pair<TargetSpec, const char*> wrong[] = {
      {{"tflite", "int4", {}}, "targets[1].format"},
      {{"gguf", "Q9", {}}, "targets[1].scheme"},
      {{"mlx", "int4", {{"group_size", "7"}}}, "targets[1].options[group_size]"},
      {{"gguf", "Q4_0", {{"tensor_type", "nothing=Q8_0"}}}, "targets[1].options[tensor_type]"}};
  for (const auto& [spec, field] : wrong) {
    for (const absl::Status& status : {PlanJob(Open(), {{"gguf", "Q4_0", {}}, spec}, {}).status(),
                                       Run({{"gguf", "Q4_0", {}}, spec}).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(FieldOf(status), field);
    }
    EXPECT_THAT(Keys(), IsEmpty());
  }
}

TEST_F(JobTest, AVocabularyThatGgufCannotHoldFailsOnlyGguf) {
  files_["tokenizer.json"] = R"({"model": {"type": "Unigram"}})";
  const absl::Status status = Run({{"gguf", "Q4_0", {}}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("targets[0]"), HasSubstr("tokenizer.json")));
  EXPECT_TRUE(Run({{"mlx", "int4", {}}}).ok());
}

TEST_F(JobTest, ATokenThatOccursTwiceIsNamed) {
  Json tokenizer = Json::parse(files_["tokenizer.json"]);
  tokenizer["added_tokens"].push_back({{"id", 30}, {"content", "ab"}, {"special", false}});
  files_["tokenizer.json"] = tokenizer.dump();
  const absl::Status status = Run({{"gguf", "Q4_0", {}}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"ab\" twice"));
}

TEST_F(JobTest, HostileSamplingSettingsAreRefused) {
  for (const char* text : {R"({"top_k": 1e300})", R"({"top_k": 99999999999})", "[]", "{"}) {
    files_["generation_config.json"] = text;
    const absl::Status status = Run({{"gguf", "Q4_0", {}}}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("generation_config.json")) << text;
  }
}

// A published name is text of strangers as well.
TEST_F(JobTest, HostileNamesNeitherCrashNorClimb) {
  for (const std::string& name : {std::string(3'000'000, '1'), std::string(3'000'000, 'a'), std::string("-"),
                                  std::string("/"), std::string("--/--"), std::string(300'000, '-')}) {
    Json config = Json::parse(files_["config.json"]);
    config["_name_or_path"] = name;
    files_["config.json"] = config.dump();
    EXPECT_TRUE(Run({{"gguf", "Q4_0", {}}}).ok()) << name.substr(0, 20);
  }
  for (const char* name : {"../../etc", "a/b", "a\\b", "..", ".", "", "a\x7f\nb"}) {
    Open();
    model_.display_name = name;
    store_ = OpenMemoryStore();
    const auto outcomes = RunJob(model_, {{"gguf", "Q4_0", {}}}, *store_, options_);
    EXPECT_TRUE(outcomes.ok()) << name << ": " << outcomes.status();
    EXPECT_THAT(Keys(),
                Contains(AllOf(testing::StartsWith("jobs/1/gguf-Q4_0/"), testing::EndsWith(".gguf"))));
  }
}

}  // namespace
}  // namespace quantd
