// What a target's scheme and options mean, and what is refused before anything is read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/unit/models/model_shape.h"
#include "tests/unit/models/onnx_checkpoint.h"
#include "workers/models/targets/onnx/names.h"

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Options = std::vector<std::pair<std::string, std::string>>;

class OnnxRecipeTest : public testing::Test {
 protected:
  OnnxDecoder Read(const std::string& scheme, const Options& options) {
    checkpoint_.spec = {"onnx", scheme, options};
    return checkpoint_.Read();
  }
  absl::Status Refusal(const std::string& scheme, const Options& options) {
    checkpoint_.spec = {"onnx", scheme, options};
    return checkpoint_.TryRead().status();
  }
  std::string CodecNameOf(OnnxMatrix matrix, int64_t layer, const OnnxDecoder& decoder) const {
    const DecoderMatrix found = MatrixOf(decoder, matrix, layer);
    return std::string(
        (found.form.has_value() ? CodecOf(*found.form) : CodecOf(decoder.recipe.io_type)).name());
  }

  OnnxCheckpoint checkpoint_{.files = SmallLlama({})};
};

TEST_F(OnnxRecipeTest, IntegersComputeInTheProvidersFastestFloat) {
  for (const auto& [ep, codec, accuracy] : {std::tuple("cpu", "ONNX_I4_B32_SYM_DEFAULT_F32", 4),
                                            {"mobile", "ONNX_I4_B32_SYM_DEFAULT_F32", 4},
                                            {"cuda", "ONNX_I4_B32_SYM_DEFAULT_F16", 0},
                                            {"dml", "ONNX_I4_B32_SYM_DEFAULT_F16", 0}}) {
    const OnnxDecoder decoder = Read("int4", {{"ep", ep}});
    EXPECT_EQ(CodecNameOf(OnnxMatrix::kOutput, -1, decoder), codec);
    EXPECT_EQ(decoder.recipe.accuracy_level, accuracy) << ep;
  }
}

TEST_F(OnnxRecipeTest, OptionsChooseTheCodec) {
  const auto codec = [&](const std::string& scheme, const Options& options) {
    return CodecNameOf(OnnxMatrix::kGate, 1, Read(scheme, options));
  };
  EXPECT_EQ(codec("int8", {{"block_size", "128"}}), "ONNX_I8_B128_SYM_DEFAULT_F32");
  EXPECT_EQ(codec("int4", {{"symmetric", "false"}}), "ONNX_I4_B32_ASYM_DEFAULT_F32");
  EXPECT_EQ(codec("int4", {{"algorithm", "rtn"}, {"ep", "cuda"}}), "ONNX_I4_B32_SYM_RTN_F16");
  EXPECT_EQ(codec("int4", {{"algorithm", "k_quant"}}), "ONNX_I4_B32_ASYM_KQUANT_F32");
  EXPECT_EQ(codec("fp16", {}), "F16");
  EXPECT_EQ(codec("bf16", {}), "BF16") << "where it runs: on cuda";
  EXPECT_EQ(codec("fp32", {{"ep", "mobile"}}), "F32");
}

TEST_F(OnnxRecipeTest, AccuracyAndLengthAreTakenAsGiven) {
  EXPECT_EQ(Read("int4", {{"accuracy_level", "0"}}).recipe.accuracy_level, 0);
  EXPECT_EQ(Read("int4", {{"accuracy_level", "2"}, {"ep", "cuda"}}).recipe.accuracy_level, 2);
  EXPECT_EQ(Read("fp16", {}).recipe.max_length, std::nullopt);
  EXPECT_EQ(Read("fp16", {{"max_length", "128"}}).recipe.max_length, 128);
}

TEST_F(OnnxRecipeTest, MixedLayersAreTheFirstAndLastEighthAndEveryThirdBetween) {
  checkpoint_.files = SmallLlama({.layers = 30});
  const OnnxDecoder decoder = Read("int4", {{"mixed", "layers"}});
  std::vector<int64_t> layers;
  for (int64_t layer = 0; layer < 30; ++layer) {
    const bool more = MatrixOf(decoder, OnnxMatrix::kQueryKeyValue, layer).form->bits == 8;
    if (more) layers.push_back(layer);
    EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kDown, layer).form->bits, more ? 8 : 4);
    EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kUp, layer).form->bits, 4);
    EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kAttentionOutput, layer).form->bits, 4);
  }
  EXPECT_THAT(layers, ElementsAre(0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29));
  EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kOutput, -1).form->bits, 8);
}

TEST_F(OnnxRecipeTest, MixedLayersOfSeparateProjectionsTakeTheValues) {
  const OnnxDecoder decoder = Read("int4", {{"mixed", "layers"}, {"ep", "dml"}});
  EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kQuery, 0).form->bits, 4);
  EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kKey, 0).form->bits, 4);
  EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kValue, 0).form->bits, 8);
}

TEST_F(OnnxRecipeTest, TheLastMatrixAloneMayHaveEightBits) {
  const OnnxDecoder decoder = Read("int4", {{"mixed", "last_matmul"}});
  EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kOutput, -1).form->bits, 8);
  EXPECT_EQ(MatrixOf(decoder, OnnxMatrix::kDown, 0).form->bits, 4);
}

TEST_F(OnnxRecipeTest, RefusesTypesThatAProviderDoesNotCompute) {
  for (const auto& [scheme, ep] :
       {std::pair("bf16", "cpu"), {"bf16", "mobile"}, {"bf16", "dml"}, {"fp32", "cuda"}, {"fp32", "dml"}}) {
    const absl::Status status = Refusal(scheme, {{"ep", ep}});
    EXPECT_EQ(FieldOf(status), "options[ep]") << scheme << " " << ep << " " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("take fp16"));
  }
}

TEST_F(OnnxRecipeTest, RefusesOptionsThatMeanNothing) {
  for (const auto& [name, value] : {std::pair("block_size", "32"),
                                    {"symmetric", "true"},
                                    {"algorithm", "rtn"},
                                    {"accuracy_level", "4"},
                                    {"mixed", "none"}}) {
    EXPECT_EQ(FieldOf(Refusal("fp16", {{name, value}})), "options[" + std::string(name) + "]");
  }
  EXPECT_EQ(FieldOf(Refusal("int4", {{"algorithm", "k_quant"}, {"symmetric", "true"}})),
            "options[symmetric]");
  EXPECT_EQ(FieldOf(Refusal("int8", {{"mixed", "last_matmul"}})), "options[mixed]");
  for (const char* length : {"0", "129", "-1", "all"})
    EXPECT_EQ(FieldOf(Refusal("int4", {{"max_length", length}})), "options[max_length]") << length;
}

TEST_F(OnnxRecipeTest, RefusesHeadsThatAttentionCannotRotate) {
  checkpoint_.files = SmallLlama({.hidden = 96});  // heads of 24
  const absl::Status status = Refusal("int4", {});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("multiples of 16"));
  EXPECT_EQ(Read("int4", {{"ep", "dml"}}).rotary_size(), 24) << "DirectML rotates outside attention";
}

TEST_F(OnnxRecipeTest, RefusesContextsWhoseRotaryCachesAreTooLarge) {
  checkpoint_.Set({{"max_position_embeddings", 1 << 24}});
  Read("fp16", {});
  checkpoint_.Set({{"max_position_embeddings", 1 << 28}});
  EXPECT_EQ(Refusal("int4", {}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(OnnxRecipeTest, OnlyPhi3LooksThroughAWindow) {
  checkpoint_.Set({{"sliding_window", 16}});
  EXPECT_EQ(Read("int4", {}).attention_window, std::nullopt);
  checkpoint_.files = SmallPhi3({});
  checkpoint_.Set({{"sliding_window", 16}});
  EXPECT_EQ(Read("int4", {}).attention_window, 16);
  checkpoint_.Set({{"sliding_window", 128}});
  EXPECT_EQ(Read("int4", {}).attention_window, std::nullopt) << "as wide as the context";
}

TEST_F(OnnxRecipeTest, NotesWhereTheRuntimeSwitchesLongRope) {
  checkpoint_.files = SmallPhi3({});
  checkpoint_.Set({{"rope_scaling", LongRopeScaling(8)}});
  Read("int4", {});
  EXPECT_THAT(checkpoint_.notes, ElementsAre(HasSubstr("at 4096 tokens, this model at 64")));
  checkpoint_.Set({{"original_max_position_embeddings", 128}});
  EXPECT_FALSE(Read("int4", {}).has_two_rotary_ranges());
  EXPECT_THAT(checkpoint_.notes, IsEmpty());
}

// A GGUF file keeps LongRoPE's factors as tensors, not as settings.
TEST(OnnxDecoderTest, TheFactorsOfAGgufFileAreItsRotaryScaling) {
  Model model = ShapedModel("Phi3ForCausalLM", {.layers = 2, .hidden = 64, .heads = 4, .key_value_heads = 2});
  model.parameters.context = 128;
  model.parameters.original_context = 64;
  model.parameters.norm_epsilon = 1e-5;
  model.gguf_metadata.emplace();
  model.frequency_factors = {{"rope_factors_long.weight", std::vector<float>(8, 4.0f)},
                             {"rope_factors_short.weight", std::vector<float>(8, 2.0f)}};
  std::vector<std::string> notes;
  const absl::StatusOr<OnnxDecoder> decoder = ReadOnnxDecoder({"onnx", "int4", {}}, model, notes);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  EXPECT_EQ(decoder->model_type, "phi3");
  EXPECT_TRUE(decoder->has_two_rotary_ranges());
  EXPECT_EQ(decoder->parameters.rope_scaling->long_factors, std::vector<double>(8, 4.0));
}

TEST(OnnxNamesTest, InitializersAreNamedByAlgorithmAndBits) {
  const std::string path = MatrixPath(OnnxMatrix::kQueryKeyValue, 3);
  const std::string weight = "model.layers.3.attn.qkv_proj.MatMul.weight";
  using quant::OnnxAlgorithm;
  EXPECT_THAT(MatrixInitializers(path, std::nullopt), ElementsAre(weight));
  EXPECT_THAT(MatrixInitializers(path, quant::OnnxNbits{}), ElementsAre(weight + "_Q4", weight + "_scales"));
  EXPECT_THAT(MatrixInitializers(path, quant::OnnxNbits{.bits = 8, .symmetric = false}),
              ElementsAre(weight + "_Q8", weight + "_scales", weight + "_zero_points"));
  EXPECT_THAT(
      MatrixInitializers(
          "lm_head", quant::OnnxNbits{.block = 128, .symmetric = false, .algorithm = OnnxAlgorithm::kKQuant}),
      ElementsAre("lm_head.MatMul.weight_Q4G128", "lm_head.MatMul.weight_scale", "lm_head.MatMul.weight_zp"));
  EXPECT_EQ(MatrixNode(OnnxMatrix::kDown, 2), "/model/layers.2/mlp/down_proj/MatMul");
  EXPECT_EQ(MatrixNode(OnnxMatrix::kOutput, -1), "/lm_head/MatMul");
}

}  // namespace
}  // namespace quantd
