#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/status.h"
#include "tests/support/checkpoint_builder.h"
#include "workers/models/targets/target.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class MlxTargetTest : public testing::Test {
 protected:
  void SetModel(const SmallModel& shape) { files_ = SmallLlama(shape); }

  absl::StatusOr<std::unique_ptr<PlannedTarget>> TryPlan() {
    checkpoint_ = OpenCheckpoint(files_);
    absl::StatusOr<Model> model = OpenModel(checkpoint_, "test");
    EXPECT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    return PlanTarget(model_, spec_);
  }
  const OutputPlan& Plan() {
    absl::StatusOr<std::unique_ptr<PlannedTarget>> planned = TryPlan();
    EXPECT_TRUE(planned.ok()) << planned.status();
    if (planned.ok()) planned_ = *std::move(planned);
    return planned_->plan;
  }

  static const OutputTensor& Tensor(const OutputPlan& plan, const std::string& name) {
    for (const OutputTensor& tensor : plan.tensors) {
      if (tensor.name == name) return tensor;
    }
    ADD_FAILURE() << "no tensor " << name;
    return plan.tensors[0];
  }
  static Json Sidecar(const OutputPlan& plan, const std::string& path) {
    for (const SidecarFile& file : plan.sidecars) {
      if (file.path == path) return Json::parse(file.content);
    }
    ADD_FAILURE() << "no file " << path;
    return {};
  }

  std::map<std::string, std::string> files_ = SmallLlama({});
  TargetSpec spec_ = {"mlx", "int4", {}};
  CheckpointFiles checkpoint_;
  Model model_{};
  std::unique_ptr<PlannedTarget> planned_ = std::make_unique<PlannedTarget>();
};

TEST_F(MlxTargetTest, QuantizesMatricesInGroupsOf64) {
  const OutputPlan& plan = Plan();
  EXPECT_EQ(Tensor(plan, "model.embed_tokens.weight").codec->name(), "MLX_I4_G64_BF16");
  EXPECT_EQ(Tensor(plan, "model.layers.0.self_attn.q_proj.weight").codec->name(), "MLX_I4_G64_BF16");
  EXPECT_EQ(Tensor(plan, "model.norm.weight").codec->name(), "BF16");
}

TEST_F(MlxTargetTest, LeavesColumnsThatNoGroupDividesAndSaysSo) {
  const OutputPlan& plan = Plan();  // down_proj has 96 columns
  EXPECT_EQ(Tensor(plan, "model.layers.1.mlp.down_proj.weight").codec->name(), "BF16");
  EXPECT_THAT(plan.notes, ElementsAre(AllOf(HasSubstr("layers.0.mlp.down_proj.weight stays BF16"),
                                            HasSubstr("96"), HasSubstr("64")),
                                      HasSubstr("layers.1.mlp.down_proj.weight")));
  spec_.options = {{"group_size", "32"}};
  EXPECT_THAT(Plan().notes, IsEmpty());
}

TEST_F(MlxTargetTest, ScalesHaveTheModelsType) {
  for (const auto& [dtype, suffix] : {std::pair("F16", "F16"), {"F32", "F32"}, {"BF16", "BF16"}}) {
    SetModel({.dtype = dtype});
    EXPECT_EQ(Tensor(Plan(), "lm_head.weight").codec->name(), std::string("MLX_I4_G64_") + suffix);
  }
}

// mlx_lm rounds every weight to the type that config.json names.
TEST_F(MlxTargetTest, WeightsAreRoundedToTheModelsType) {
  SetModel({.dtype = "F32"});
  Json config = Json::parse(files_["config.json"]);
  config["torch_dtype"] = "bfloat16";
  files_["config.json"] = config.dump();
  const OutputTensor& tensor = Tensor(Plan(), "lm_head.weight");
  EXPECT_EQ(tensor.codec->name(), "MLX_I4_G64_BF16");
  ASSERT_NE(tensor.cast, nullptr);
  EXPECT_EQ(tensor.cast->name(), "BF16");
}

TEST_F(MlxTargetTest, TheConfigurationTellsTheQuantization) {
  spec_ = {"mlx", "int3", {{"group_size", "32"}}};
  const Json config = Sidecar(Plan(), "config.json");
  const Json expected = {{"group_size", 32}, {"bits", 3}, {"mode", "affine"}};
  EXPECT_EQ(config["quantization"], expected);
  EXPECT_EQ(config["quantization_config"], expected);
  EXPECT_EQ(config["hidden_size"], 64);
}

TEST_F(MlxTargetTest, FloatModesHaveTheirOwnGroupsAndBytesOfScale) {
  for (const auto& [scheme, codec, group, bits] : {std::tuple("mxfp4", "MLX_MXFP4_BF16", 32, 4),
                                                   {"mxfp8", "MLX_MXFP8_BF16", 32, 8},
                                                   {"nvfp4", "MLX_NVFP4_BF16", 16, 4}}) {
    spec_ = {"mlx", scheme, {}};
    const OutputPlan& plan = Plan();
    EXPECT_EQ(Tensor(plan, "model.layers.0.mlp.down_proj.weight").codec->name(), codec);
    EXPECT_EQ(Tensor(plan, "model.norm.weight").codec->name(), "BF16");
    const Json config = Sidecar(plan, "config.json");
    EXPECT_EQ(config["quantization"], (Json{{"group_size", group}, {"bits", bits}, {"mode", scheme}}));
    EXPECT_EQ(config["quantization_config"], config["quantization"]);
  }
}

TEST_F(MlxTargetTest, RefusesGroupsThatAModeDoesNotHave) {
  for (const auto& [scheme, group] :
       {std::pair("mxfp4", "64"), {"mxfp8", "16"}, {"nvfp4", "32"}, {"int4", "16"}, {"mixed_3_4", "16"}}) {
    spec_ = {"mlx", scheme, {{"group_size", group}}};
    EXPECT_EQ(FieldOf(TryPlan().status()), "options[group_size]") << scheme;
  }
  for (const auto& [scheme, group] : {std::pair("mxfp4", "32"), {"nvfp4", "16"}}) {
    spec_ = {"mlx", scheme, {{"group_size", group}}};
    EXPECT_TRUE(TryPlan().ok()) << scheme;
  }
}

// mx.quantize refuses the whole layer.
TEST_F(MlxTargetTest, LeavesWeightsThatNvfp4CannotPack) {
  SetModel({.hidden = 48, .heads = 3, .key_value_heads = 3, .vocabulary = 63});
  spec_.scheme = "nvfp4";
  const OutputPlan& plan = Plan();
  EXPECT_EQ(Tensor(plan, "lm_head.weight").codec->name(), "BF16");
  EXPECT_EQ(Tensor(plan, "model.layers.0.self_attn.q_proj.weight").codec->name(), "MLX_NVFP4_BF16");
  EXPECT_THAT(plan.notes,
              testing::Contains(HasSubstr("lm_head.weight stays BF16: MLX takes multiples of 32")));
}

TEST_F(MlxTargetTest, MixedRecipesGiveSensitiveLayersMoreBits) {
  SetModel({.layers = 16, .hidden = 64, .feed_forward = 64});
  for (const auto& [scheme, low, high] :
       {std::tuple("mixed_2_6", 2, 6), {"mixed_3_4", 3, 4}, {"mixed_3_6", 3, 6}, {"mixed_4_6", 4, 6}}) {
    spec_.scheme = scheme;
    const OutputPlan& plan = Plan();
    const Json config = Sidecar(plan, "config.json")["quantization"];
    std::vector<int> sensitive;
    for (int layer = 0; layer < 16; ++layer) {
      const std::string path = "model.layers." + std::to_string(layer);
      for (const char* name : {".self_attn.v_proj", ".mlp.down_proj"}) {
        const bool more = config[path + name]["bits"] == high;
        EXPECT_EQ(Tensor(plan, path + name + ".weight").codec->name(),
                  "MLX_I" + std::to_string(more ? high : low) + "_G64_BF16");
        if (more && std::string(name) == ".mlp.down_proj") sensitive.push_back(layer);
      }
      EXPECT_EQ(config[path + ".self_attn.q_proj"]["bits"], low);
    }
    EXPECT_THAT(sensitive, ElementsAre(0, 1, 4, 7, 10, 13, 14, 15)) << scheme;
    EXPECT_EQ(config["lm_head"]["bits"], high);
    EXPECT_EQ(config["model.embed_tokens"]["bits"], low);
    EXPECT_EQ(config["bits"], 4) << "mlx_lm leaves its default there";
  }
}

TEST_F(MlxTargetTest, PlainTypesCastEveryTensor) {
  for (const auto& [scheme, codec, torch] :
       {std::tuple("fp16", "F16", "float16"), {"bf16", "BF16", "bfloat16"}, {"fp32", "F32", "float32"}}) {
    spec_ = {"mlx", scheme, {}};
    const OutputPlan& plan = Plan();
    for (const OutputTensor& tensor : plan.tensors) EXPECT_EQ(tensor.codec->name(), codec);
    const Json config = Sidecar(plan, "config.json");
    EXPECT_EQ(config["torch_dtype"], torch);
    EXPECT_FALSE(config.contains("quantization"));
  }
}

TEST_F(MlxTargetTest, CopiesTheTokenizersFilesByteForByte) {
  files_["generation_config.json"] = "{ \"top_k\" : 5 }\n";
  files_["README.md"] = "not part of a model";
  std::map<std::string, std::string> sidecars;
  for (const SidecarFile& file : Plan().sidecars) sidecars[file.path] = file.content;
  EXPECT_EQ(sidecars.size(), 4u);
  EXPECT_EQ(sidecars["tokenizer.json"], files_["tokenizer.json"]);
  EXPECT_EQ(sidecars["tokenizer_config.json"], files_["tokenizer_config.json"]);
  EXPECT_EQ(sidecars["generation_config.json"], files_["generation_config.json"]);
  EXPECT_EQ(sidecars.count("config.json"), 1u);
}

TEST_F(MlxTargetTest, GroupsMeanNothingWithoutQuantization) {
  spec_ = {"mlx", "fp16", {{"group_size", "32"}}};
  const absl::Status status = TryPlan().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(status), "options[group_size]");
}

}  // namespace
}  // namespace quantd
