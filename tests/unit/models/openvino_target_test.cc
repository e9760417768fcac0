// What becomes of a model's tensors in an OpenVINO folder, what the options choose, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "base/status.h"
#include "tests/support/checkpoint_builder.h"
#include "workers/models/targets/openvino/mixed_precision.h"
#include "workers/models/targets/target.h"

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Options = std::vector<std::pair<std::string, std::string>>;

class OpenVinoTargetTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<PlannedTarget>> TryPlan(const std::string& scheme, const Options& options) {
    checkpoint_ = OpenCheckpoint(files_);
    absl::StatusOr<Model> model = OpenModel(checkpoint_, name_);
    EXPECT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    return PlanTarget(model_, {"openvino", scheme, options}, {.threads = 2});
  }

  const OutputPlan& Plan(const std::string& scheme, const Options& options = {}) {
    auto planned = TryPlan(scheme, options);
    EXPECT_TRUE(planned.ok()) << planned.status();
    if (planned.ok()) planned_ = *std::move(planned);
    return planned_->plan;
  }

  static std::string CodecOf(const OutputPlan& plan, const std::string& name) {
    for (const OutputTensor& tensor : plan.tensors) {
      if (tensor.name == name) return std::string(tensor.codec->name());
    }
    return "none";
  }

  void SetConfig(const std::string& key, const Json& value) {
    Json config = Json::parse(files_["config.json"]);
    config[key] = value;
    files_["config.json"] = config.dump();
  }

  void ExpectRefused(const std::string& scheme, const Options& options, const std::string& field) {
    const absl::Status status = TryPlan(scheme, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(FieldOf(status), field);
  }

  std::map<std::string, std::string> files_ = SmallLlama({.hidden = 256, .feed_forward = 512});
  std::string name_ = "test";
  CheckpointFiles checkpoint_;
  Model model_{};
  std::unique_ptr<PlannedTarget> planned_ = std::make_unique<PlannedTarget>();
};

constexpr char kDown[] = "model.layers.1.mlp.down_proj.weight";
constexpr char kEmbedding[] = "model.embed_tokens.weight";
constexpr char kHead[] = "lm_head.weight";
constexpr char kNorm[] = "model.norm.weight";

TEST_F(OpenVinoTargetTest, Int4IsOptimumIntelsUsual) {
  const OutputPlan& plan = Plan("int4");
  EXPECT_EQ(CodecOf(plan, kDown), "OPENVINO_I4_G128_ASYM");
  EXPECT_EQ(CodecOf(plan, kEmbedding), "OPENVINO_I8_ROW_ASYM");
  EXPECT_EQ(CodecOf(plan, kHead), "OPENVINO_I8_ROW_ASYM");
  EXPECT_EQ(CodecOf(plan, kNorm), "F32");
  EXPECT_THAT(plan.notes, IsEmpty());
}

TEST_F(OpenVinoTargetTest, OptionsChooseTheForm) {
  EXPECT_EQ(CodecOf(Plan("int4", {{"group_size", "64"}, {"symmetric", "true"}}), kDown),
            "OPENVINO_I4_G64_SYM");
  EXPECT_EQ(CodecOf(Plan("int4", {{"group_size", "-1"}}), kDown), "OPENVINO_I4_ROW_ASYM");
  EXPECT_EQ(CodecOf(Plan("int4", {{"all_layers", "true"}}), kHead), "OPENVINO_I4_G128_ASYM");
  EXPECT_EQ(CodecOf(Plan("int4", {{"all_layers", "true"}}), kEmbedding), "OPENVINO_I4_G128_ASYM");
  EXPECT_EQ(CodecOf(Plan("int8"), kDown), "OPENVINO_I8_ROW_ASYM");
  EXPECT_EQ(CodecOf(Plan("int8", {{"symmetric", "true"}}), kEmbedding), "OPENVINO_I8_ROW_SYM");
  EXPECT_EQ(CodecOf(Plan("nf4", {{"group_size", "64"}}), kDown), "OPENVINO_NF4_G64");
  EXPECT_EQ(CodecOf(Plan("mxfp4", {{"all_layers", "true"}}), kHead), "OPENVINO_MXFP4");
  EXPECT_EQ(CodecOf(Plan("fp16"), kDown), "F16");
  EXPECT_EQ(CodecOf(Plan("fp16"), kNorm), "F32");
}

TEST_F(OpenVinoTargetTest, RefusesOptionsThatMeanNothing) {
  for (const char* option : {"group_size", "ratio", "all_layers", "preset"}) {
    const std::map<std::string, std::string> values = {
        {"group_size", "64"}, {"ratio", "0.5"}, {"all_layers", "true"}, {"preset", "default"}};
    for (const char* scheme : {"int8", "fp16", "fp32"})
      ExpectRefused(scheme, {{option, values.at(option)}}, std::string("options[") + option + "]");
  }
  ExpectRefused("mxfp4", {{"group_size", "32"}}, "options[group_size]");
  ExpectRefused("nf4", {{"group_size", "-1"}}, "options[group_size]");
  ExpectRefused("nf4", {{"symmetric", "true"}}, "options[symmetric]");
  ExpectRefused("mxfp4", {{"preset", "default"}}, "options[preset]");
  ExpectRefused("fp16", {{"symmetric", "true"}}, "options[symmetric]");
  ExpectRefused("int4", {{"preset", "default"}, {"group_size", "64"}}, "options[group_size]");
  for (const char* ratio : {"-0.1", "1.01", "nan", "half", "inf"})
    ExpectRefused("int4", {{"ratio", ratio}}, "options[ratio]");
}

TEST_F(OpenVinoTargetTest, AGroupThatDoesNotDivideRowsBecomesSmaller) {
  files_ = SmallLlama({.hidden = 160, .feed_forward = 112, .heads = 5, .key_value_heads = 1});
  const OutputPlan& plan = Plan("int4");
  EXPECT_EQ(CodecOf(plan, "model.layers.0.self_attn.q_proj.weight"), "OPENVINO_I4_G32_ASYM");
  EXPECT_EQ(CodecOf(plan, kDown), "OPENVINO_I8_ROW_ASYM");
  EXPECT_THAT(plan.notes, testing::SizeIs(14));
  EXPECT_THAT(plan.notes, testing::Contains(HasSubstr("do not divide its rows of 112")));
}

TEST_F(OpenVinoTargetTest, AnLmHeadThatEqualsTheEmbeddingIsStoredOnce) {
  EXPECT_NE(CodecOf(Plan("int8"), kHead), "none");
  Json header = Json::parse(files_["model.safetensors"].substr(8, 8192).substr(
      0, static_cast<size_t>(static_cast<unsigned char>(files_["model.safetensors"][0])) +
             256 * static_cast<size_t>(static_cast<unsigned char>(files_["model.safetensors"][1]))));
  const size_t data = files_["model.safetensors"].size();
  size_t end = 0;
  for (const auto& [name, entry] : header.items())
    end = std::max(end, entry["data_offsets"][1].get<size_t>());
  const size_t begin = data - end;
  const size_t from = begin + header[kEmbedding]["data_offsets"][0].get<size_t>();
  const size_t to = begin + header[kHead]["data_offsets"][0].get<size_t>();
  const size_t size =
      header[kHead]["data_offsets"][1].get<size_t>() - header[kHead]["data_offsets"][0].get<size_t>();
  std::memcpy(&files_["model.safetensors"][to], &files_["model.safetensors"][from], size);
  EXPECT_EQ(CodecOf(Plan("int8"), kHead), "none");
  files_["model.safetensors"][to + size - 1] ^= 1;
  EXPECT_NE(CodecOf(Plan("int8"), kHead), "none");
}

TEST_F(OpenVinoTargetTest, ARatioTakesThatShareOfTheLayers) {
  const auto four_bits = [&](const char* ratio) {
    int count = 0;
    for (const OutputTensor& tensor : Plan("int4", {{"ratio", ratio}}).tensors)
      count += tensor.codec->name() == "OPENVINO_I4_G128_ASYM" ? 1 : 0;
    return count;
  };
  EXPECT_EQ(four_bits("0"), 0);
  EXPECT_EQ(four_bits("1"), 14);
  const int half = four_bits("0.5");
  EXPECT_GT(half, 0);
  EXPECT_LT(half, 14);
}

TEST_F(OpenVinoTargetTest, PlanningThatReadsWeightsCanBeCancelled) {
  ASSERT_TRUE(TryPlan("int4", {}).ok());
  const TargetSpec mixed = {"openvino", "int4", {{"ratio", "0.5"}}};
  const auto planned = PlanTarget(model_, mixed, {.threads = 2, .keep_going = [] { return false; }});
  EXPECT_EQ(planned.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(OpenVinoTargetTest, ThePresetKnowsModelsByTheirName) {
  name_ = "Llama-2-13b-chat-hf";
  const OutputPlan& plan = Plan("int4", {{"preset", "default"}});
  EXPECT_THAT(plan.notes, testing::Contains(HasSubstr("meta-llama/Llama-2-13b-chat-hf: int4_sym")));
  SetConfig("_name_or_path", "microsoft/Phi-4-reasoning");
  EXPECT_EQ(CodecOf(Plan("int4", {{"preset", "default"}}), kDown), "OPENVINO_I4_G64_ASYM");
  SetConfig("_name_or_path", "somebody/else");
  name_ = "test";
  const OutputPlan& unknown = Plan("int4", {{"preset", "default"}});
  EXPECT_EQ(CodecOf(unknown, kDown), "OPENVINO_I4_G128_ASYM");
  EXPECT_THAT(unknown.notes, ElementsAre(HasSubstr("no settings of its own")));
}

TEST_F(OpenVinoTargetTest, SaysInItsConfigurationHowItIsQuantized) {
  const OutputPlan& plan = Plan("int4", {{"group_size", "64"}});
  for (const SidecarFile& file : plan.sidecars) {
    if (file.path != "openvino_config.json") continue;
    const Json quantization = Json::parse(file.content)["quantization_config"];
    EXPECT_EQ(quantization["bits"], 4);
    EXPECT_EQ(quantization["group_size"], 64);
    EXPECT_EQ(quantization["sym"], false);
    return;
  }
  FAIL() << "no openvino_config.json";
}

TEST(MixedPrecisionTest, TakesTheLargestErrorsUntilTheRatioIsReached) {
  const std::vector<MixedCandidate> candidates = {
      {100, 0.1, 0.0}, {100, 0.4, 0.0}, {100, 0.2, 0.0}, {100, 0.3, 0.0}};
  EXPECT_THAT(ChooseFourBits(candidates, 0.75), ElementsAre(false, true, false, true));
  EXPECT_THAT(ChooseFourBits(candidates, 0.76), ElementsAre(false, true, true, true));
  EXPECT_THAT(ChooseFourBits(candidates, 0.25), ElementsAre(false, false, false, false));
}

TEST(MixedPrecisionTest, StopsAtTheFirstThatIsTooLarge) {
  const std::vector<MixedCandidate> candidates = {{10, 0.3, 0.0}, {1000, 0.2, 0.0}, {10, 0.1, 0.0}};
  EXPECT_THAT(ChooseFourBits(candidates, 0.5), ElementsAre(true, false, false));
}

TEST(MixedPrecisionTest, EqualScoresKeepTheirOrder) {
  const std::vector<MixedCandidate> candidates = {{1, 0.5, 0.1}, {1, 0.5, 0.1}, {1, 0.5, 0.1}, {1, 0.5, 0.1}};
  EXPECT_THAT(ChooseFourBits(candidates, 0.6), ElementsAre(true, true, false, false));
}

}  // namespace
}  // namespace quantd
