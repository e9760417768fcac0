// What PlanTarget takes and refuses, for every format.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/status.h"
#include "tests/support/checkpoint_builder.h"
#include "workers/models/targets/target.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Options = std::vector<std::pair<std::string, std::string>>;

class TargetListTest : public testing::Test {
 protected:
  TargetListTest() {
    absl::StatusOr<Model> model = OpenModel(checkpoint_, "test");
    EXPECT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }

  void ExpectRefused(const TargetSpec& spec, const std::string& field, const std::string& words) const {
    const absl::Status status = PlanTarget(model_, spec).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(FieldOf(status), field);
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }

  CheckpointFiles checkpoint_ = OpenCheckpoint(SmallLlama({}));
  Model model_{};
};

TEST_F(TargetListTest, PlansEverySchemeThatItLists) {
  for (const FormatInfo& format : Formats()) {
    std::set<std::string> names;
    for (const SchemeInfo& scheme : format.schemes) {
      EXPECT_TRUE(names.insert(scheme.name).second) << scheme.name;
      const auto planned = PlanTarget(model_, {format.name, scheme.name, {}});
      ASSERT_TRUE(planned.ok()) << format.name << ":" << scheme.name << ": " << planned.status();
      std::set<size_t> taken;
      for (const OutputTensor& tensor : (*planned)->plan.tensors) {
        for (const SourceSlice& slice : tensor.sources) taken.insert(slice.tensor);
      }
      EXPECT_EQ(taken.size(), model_.tensors.size());
      EXPECT_FALSE((*planned)->writer->Files().empty());
    }
  }
}

TEST_F(TargetListTest, EveryTensorHasColumnsThatItsCodecTakes) {
  for (const FormatInfo& format : Formats()) {
    for (const SchemeInfo& scheme : format.schemes) {
      const auto planned = PlanTarget(model_, {format.name, scheme.name, {}});
      ASSERT_TRUE(planned.ok());
      for (const OutputTensor& tensor : (*planned)->plan.tensors)
        EXPECT_EQ(tensor.columns() % tensor.codec->column_multiple(), 0) << scheme.name << " " << tensor.name;
    }
  }
}

TEST_F(TargetListTest, NamesWhatIsKnown) {
  ExpectRefused({"tflite", "int4", {}}, "format", "gguf, mlx, onnx, openvino, safetensors");
  ExpectRefused({"", "int4", {}}, "format", "known are");
  ExpectRefused({"gguf", "Q9", {}}, "scheme", "Q4_K_M");
  ExpectRefused({"mlx", "Q4_K_M", {}}, "scheme", "mixed_3_6");
  ExpectRefused({"gguf", "Q4_K_M", {{"group_size", "64"}}}, "options[group_size]", "tensor_type");
  ExpectRefused({"safetensors", "fp16", {{"pure", "true"}}}, "options[pure]", "no such option");
}

TEST_F(TargetListTest, RefusesValuesThatAreNoneOfAnOptions) {
  for (const char* value : {"", "0", "-64", "65", "64 ", "1e2", "99999999999999999999"})
    ExpectRefused({"mlx", "int4", {{"group_size", value}}}, "options[group_size]", "32, 64, 128");
  ExpectRefused({"gguf", "Q4_0", {{"pure", "yes"}}}, "options[pure]", "true");
  ExpectRefused({"gguf", "Q4_0", {{"output_tensor_type", "Q4"}}}, "options[output_tensor_type]", "Q4_K");
  ExpectRefused({"gguf", "Q4_0", {{"token_embedding_type", "MLX_I4_G64_F16"}}},
                "options[token_embedding_type]", "no tensor type");
}

TEST_F(TargetListTest, RefusesAnOptionTwiceUnlessItRepeats) {
  ExpectRefused({"gguf", "Q4_0", {{"pure", "true"}, {"pure", "true"}}}, "options[pure]", "twice");
  const Options types = {{"tensor_type", "attn_q=q8_0"}, {"tensor_type", "attn_k=F16"}};
  const auto planned = PlanTarget(model_, {"gguf", "Q4_0", types});
  ASSERT_TRUE(planned.ok()) << planned.status();
  std::map<std::string, std::string_view> chosen;
  for (const OutputTensor& tensor : (*planned)->plan.tensors) chosen[tensor.name] = tensor.codec->name();
  EXPECT_EQ(chosen["blk.1.attn_q.weight"], "Q8_0");
  EXPECT_EQ(chosen["blk.1.attn_k.weight"], "F16");
}

TEST_F(TargetListTest, RefusesATensorTypeOfAnotherForm) {
  for (const char* value : {"", "attn_q", "=Q8_0", "attn_q=", "attn_q=Q99", "attn_q="})
    ExpectRefused({"gguf", "Q4_0", {{"tensor_type", value}}}, "options[tensor_type]", "");
  ExpectRefused({"gguf", "Q4_0", {{"tensor_type", "nothing=Q8_0"}}}, "options[tensor_type]",
                "matches no tensor");
}

}  // namespace
}  // namespace quantd
