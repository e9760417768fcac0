// Which type each tensor gets, spelled out as tables. That they are llama-quantize's is the conformance
// tests' matter.
#include "workers/models/targets/gguf_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "base/status.h"
#include "tests/unit/models/model_shape.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using quant::FindCodec;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Types = std::map<std::string, std::string>;

class GgufTypesTest : public testing::Test {
 protected:
  absl::StatusOr<GgufTypes> Choose(const std::string& scheme) const {
    return ChooseGgufTypes(ShapedModel(architecture_, shape_), *FindGgufFileType(scheme), options_);
  }

  Types TypesOf(const std::string& scheme) {
    const absl::StatusOr<GgufTypes> chosen = Choose(scheme);
    EXPECT_TRUE(chosen.ok()) << chosen.status();
    if (!chosen.ok()) return {};
    notes_ = chosen->notes;
    const Model model = ShapedModel(architecture_, shape_);
    Types types;
    for (size_t i = 0; i < model.tensors.size(); ++i) {
      const ModelTensor& tensor = model.tensors[i];
      types[TensorName(tensor.rule->gguf, tensor.layer)] = std::string(chosen->codecs[i]->name());
    }
    return types;
  }

  // Layers whose `name` has the type.
  std::vector<int64_t> LayersWith(const Types& types, const std::string& name,
                                  const std::string& type) const {
    std::vector<int64_t> layers;
    for (int64_t layer = 0; layer < shape_.layers; ++layer) {
      if (types.at("blk." + std::to_string(layer) + "." + name) == type) layers.push_back(layer);
    }
    return layers;
  }

  std::string Error(const std::string& scheme) const {
    const absl::Status status = Choose(scheme).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(FieldOf(status), "options[tensor_type]");
    return std::string(status.message());
  }

  // An importance matrix of every matrix but the embedding.
  void GiveImportance() {
    for (const ModelTensor& tensor : ShapedModel(architecture_, shape_).tensors) {
      if (tensor.source.shape.size() < 2 || tensor.role == TensorRole::kTokenEmbedding) continue;
      importance_.columns[TensorName(tensor.rule->gguf, tensor.layer)] =
          std::make_shared<const std::vector<float>>(tensor.source.columns(), 1.0f);
    }
    options_.importance = &importance_;
  }

  std::string architecture_ = "LlamaForCausalLM";
  ModelShape shape_;
  ImportanceMatrix importance_;
  GgufTypeOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(GgufTypesTest, KnowsLlamaCppsNamesAndTheShortOnes) {
  EXPECT_EQ(FindGgufFileType("Q4_K_M")->number, 15u);
  EXPECT_EQ(FindGgufFileType("BF16")->number, 32u);
  EXPECT_EQ(FindGgufFileType("int4"), FindGgufFileType("Q4_K_M"));
  EXPECT_EQ(FindGgufFileType("int8"), FindGgufFileType("Q8_0"));
  EXPECT_EQ(FindGgufFileType("fp16"), FindGgufFileType("F16"));
  EXPECT_EQ(FindGgufFileType("bf16"), FindGgufFileType("BF16"));
  EXPECT_EQ(FindGgufFileType("fp32"), FindGgufFileType("F32"));
  EXPECT_EQ(FindGgufFileType("q4_k_m"), nullptr);
}

TEST_F(GgufTypesTest, VectorsStayFloatsInEveryFileType) {
  shape_.layers = 2;
  GiveImportance();
  for (const GgufFileType& type : AllGgufFileTypes()) {
    const Types types = TypesOf(std::string(type.name));
    EXPECT_EQ(types.at("output_norm.weight"), "F32") << type.name;
    EXPECT_EQ(types.at("blk.1.attn_norm.weight"), "F32") << type.name;
    // MXFP4 is for experts, of which these models have none.
    EXPECT_EQ(types.at("blk.1.ffn_up.weight"), type.name == "MXFP4_MOE" ? "Q8_0" : type.codec) << type.name;
    EXPECT_THAT(notes_, IsEmpty()) << type.name;
  }
}

TEST_F(GgufTypesTest, TypesThatAreUselessWithoutImportanceAreRefused) {
  for (const char* scheme :
       {"Q2_K_S", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS"}) {
    const absl::Status status = Choose(scheme).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << scheme;
    EXPECT_THAT(std::string(status.message()), HasSubstr("options[imatrix]: is needed: blk.0.")) << scheme;
  }
  GiveImportance();
  importance_.columns.erase("blk.7.ffn_up.weight");
  EXPECT_THAT(std::string(Choose("IQ2_XS").status().message()),
              HasSubstr("options[imatrix]: is needed: blk.7.ffn_up.weight would be IQ2_XS"));
}

// Their encoders have nothing to search by without it.
TEST_F(GgufTypesTest, TypesThatAreAskedForByNameMayNeedImportanceToo) {
  options_.token_embedding = FindCodec("IQ2_XXS");
  EXPECT_THAT(std::string(Choose("Q4_K_M").status().message()),
              HasSubstr("options[imatrix]: is needed: token_embd.weight would be IQ2_XXS"));
}

TEST_F(GgufTypesTest, ImportanceOfAnotherNumberOfColumnsIsRefused) {
  ImportanceMatrix importance;
  importance.columns["blk.0.attn_q.weight"] = std::make_shared<const std::vector<float>>(7, 1.0f);
  options_.importance = &importance;
  EXPECT_THAT(std::string(Choose("Q4_K_M").status().message()),
              testing::HasSubstr("options[imatrix]: has 7 columns for blk.0.attn_q.weight"));
}

// llama.cpp's use_more_bits: the first and last eighth, and every third between.
TEST_F(GgufTypesTest, TheMediumMixesGiveSensitiveLayersMoreBits) {
  const auto more = ElementsAre(0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31);
  for (const auto& [scheme, base] : {std::pair("Q4_K_M", "Q4_K"), {"Q5_K_M", "Q5_K"}}) {
    const Types types = TypesOf(scheme);
    EXPECT_THAT(LayersWith(types, "attn_v.weight", "Q6_K"), more) << scheme;
    EXPECT_THAT(LayersWith(types, "ffn_down.weight", "Q6_K"), more) << scheme;
    EXPECT_EQ(types.at("blk.4.attn_v.weight"), base);
    EXPECT_EQ(types.at("blk.0.attn_output.weight"), base);
    EXPECT_EQ(types.at("output.weight"), "Q6_K");
    EXPECT_EQ(types.at("token_embd.weight"), base);
  }
}

TEST_F(GgufTypesTest, Q4KSmallSparesTheFirstLayers) {
  const Types types = TypesOf("Q4_K_S");
  EXPECT_THAT(LayersWith(types, "attn_v.weight", "Q5_K"), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(LayersWith(types, "ffn_down.weight", "Q5_K"), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(types.at("blk.0.attn_output.weight"), "Q4_K");
}

TEST_F(GgufTypesTest, TheThreeBitMixesDifferInWhatTheySpare) {
  Types types = TypesOf("Q3_K_S");
  EXPECT_EQ(LayersWith(types, "attn_v.weight", "Q3_K").size(), 32u);
  EXPECT_EQ(LayersWith(types, "ffn_down.weight", "Q3_K").size(), 32u);
  types = TypesOf("Q3_K_M");
  EXPECT_THAT(LayersWith(types, "attn_v.weight", "Q5_K"), ElementsAre(0, 1));
  EXPECT_EQ(LayersWith(types, "attn_v.weight", "Q4_K").size(), 30u);
  EXPECT_THAT(LayersWith(types, "ffn_down.weight", "Q5_K"), ElementsAre(0, 1));
  EXPECT_EQ(types.at("blk.9.attn_output.weight"), "Q4_K");
  types = TypesOf("Q3_K_L");
  EXPECT_EQ(LayersWith(types, "attn_v.weight", "Q5_K").size(), 32u);
  EXPECT_EQ(LayersWith(types, "ffn_down.weight", "Q5_K").size(), 32u);
  EXPECT_EQ(types.at("blk.9.attn_output.weight"), "Q5_K");
  EXPECT_EQ(types.at("blk.9.attn_q.weight"), "Q3_K");
}

TEST_F(GgufTypesTest, TwoBitsDependOnHowManyQueriesShareAValue) {
  EXPECT_EQ(TypesOf("Q2_K").at("blk.0.attn_v.weight"), "Q3_K");
  shape_.key_value_heads = 2;
  const Types types = TypesOf("Q2_K");
  EXPECT_EQ(types.at("blk.0.attn_v.weight"), "Q4_K");
  EXPECT_EQ(types.at("blk.0.ffn_down.weight"), "Q3_K");
  EXPECT_EQ(types.at("blk.0.attn_output.weight"), "Q3_K");
  EXPECT_EQ(types.at("blk.0.ffn_up.weight"), "Q2_K");
}

TEST_F(GgufTypesTest, TheOneBitTypesSpareWhatIsSmall) {
  for (const char* scheme : {"IQ1_S", "IQ1_M"}) {
    shape_.key_value_heads = 8;
    GiveImportance();
    Types types = TypesOf(scheme);
    EXPECT_EQ(types.at("output.weight"), "Q5_K") << scheme;
    EXPECT_EQ(types.at("token_embd.weight"), "Q2_K") << scheme;
    EXPECT_EQ(types.at("blk.9.attn_v.weight"), "Q2_K") << scheme;
    EXPECT_EQ(types.at("blk.9.attn_output.weight"), "IQ2_XXS") << scheme;
    EXPECT_THAT(LayersWith(types, "ffn_down.weight", "Q2_K"), ElementsAre(0, 1, 2, 3)) << scheme;
    EXPECT_EQ(types.at("blk.4.ffn_down.weight"), scheme);
    shape_.key_value_heads = 2;
    GiveImportance();
    EXPECT_EQ(TypesOf(scheme).at("blk.9.attn_v.weight"), "Q4_K") << scheme;
  }
}

TEST_F(GgufTypesTest, TheTwoBitTypesSpareWhatIsSmall) {
  GiveImportance();
  for (const auto& [scheme, spared, base] :
       {std::tuple("IQ2_XXS", "Q2_K", "IQ2_XXS"), std::tuple("IQ2_XS", "Q2_K", "IQ2_XS"),
        std::tuple("IQ2_S", "IQ3_S", "IQ2_XS"), std::tuple("IQ2_M", "IQ3_S", "IQ2_S")}) {
    const Types types = TypesOf(scheme);
    EXPECT_EQ(types.at("output.weight"), "Q5_K") << scheme;
    EXPECT_EQ(types.at("token_embd.weight"), spared) << scheme;
    EXPECT_EQ(types.at("blk.9.attn_v.weight"), spared) << scheme;
    EXPECT_EQ(types.at("blk.9.attn_output.weight"), spared == std::string("IQ3_S") ? "IQ3_S" : base);
    EXPECT_THAT(LayersWith(types, "ffn_down.weight", spared), ElementsAre(0, 1, 2, 3)) << scheme;
    EXPECT_EQ(types.at("blk.9.ffn_gate.weight"), base) << scheme;
  }
}

TEST_F(GgufTypesTest, TheThreeBitCodebooksMixTheirSizes) {
  GiveImportance();
  Types types = TypesOf("IQ3_XXS");
  EXPECT_EQ(types.at("output.weight"), "Q5_K");
  EXPECT_EQ(types.at("token_embd.weight"), "IQ3_S");
  EXPECT_EQ(types.at("blk.9.attn_q.weight"), "IQ2_S");
  EXPECT_EQ(types.at("blk.9.attn_k.weight"), "IQ2_S");
  EXPECT_EQ(types.at("blk.9.attn_v.weight"), "IQ3_XXS");
  EXPECT_EQ(types.at("blk.9.attn_output.weight"), "IQ3_S");
  EXPECT_EQ(types.at("blk.0.ffn_down.weight"), "IQ3_XXS");
  types = TypesOf("IQ3_XS");
  EXPECT_EQ(types.at("output.weight"), "Q6_K");
  EXPECT_EQ(types.at("blk.9.attn_q.weight"), "IQ3_XXS");
  EXPECT_EQ(types.at("blk.9.attn_v.weight"), "IQ3_S");
  const auto ends = ElementsAre(0, 1, 2, 3, 28, 29, 30, 31);
  EXPECT_THAT(LayersWith(types, "ffn_gate.weight", "IQ3_S"), ends);
  EXPECT_THAT(LayersWith(types, "ffn_up.weight", "IQ3_S"), ends);
  EXPECT_EQ(types.at("blk.9.ffn_down.weight"), "IQ3_S");
  types = TypesOf("IQ3_M");
  EXPECT_EQ(types.at("blk.9.attn_v.weight"), "Q4_K");
  EXPECT_EQ(types.at("blk.9.attn_output.weight"), "Q4_K");
  EXPECT_THAT(LayersWith(types, "ffn_down.weight", "Q4_K"), ElementsAre(0, 1, 2, 3));
}

// 80 layers with shared value heads are the models of 70 G weights.
TEST_F(GgufTypesTest, LargeModelsGiveTheirFewValuesFiveBits) {
  shape_.layers = 80;
  EXPECT_TRUE(LayersWith(TypesOf("Q4_K_S"), "attn_v.weight", "Q4_K").size() == 76);
  shape_.key_value_heads = 1;
  EXPECT_EQ(LayersWith(TypesOf("Q4_K_S"), "attn_v.weight", "Q5_K").size(), 80u);
  EXPECT_EQ(LayersWith(TypesOf("IQ3_M"), "attn_v.weight", "Q5_K").size(), 80u);
  GiveImportance();
  EXPECT_EQ(LayersWith(TypesOf("IQ2_M"), "attn_v.weight", "Q4_K").size(), 80u);
}

TEST_F(GgufTypesTest, TiedEmbeddingsAreTreatedAsTheOutput) {
  shape_.tied = true;
  EXPECT_EQ(TypesOf("Q4_K_M").at("token_embd.weight"), "Q6_K");
  EXPECT_EQ(TypesOf("Q8_0").at("token_embd.weight"), "Q8_0");
  EXPECT_EQ(TypesOf("Q4_0").at("token_embd.weight"), "Q6_K");
}

TEST_F(GgufTypesTest, FusedProjectionsCountAsValues) {
  architecture_ = "Phi3ForCausalLM";
  const Types types = TypesOf("Q4_K_M");
  EXPECT_EQ(types.at("blk.0.attn_qkv.weight"), "Q6_K");
  EXPECT_EQ(types.at("blk.4.attn_qkv.weight"), "Q4_K");
  EXPECT_EQ(types.at("blk.4.ffn_up.weight"), "Q4_K");
}

TEST_F(GgufTypesTest, FallsBackWhereNoBlockDividesTheColumnsAndSaysSo) {
  shape_.layers = 1;
  shape_.hidden = 96;  // heads of 12; no multiple of 256, but of 32
  GiveImportance();
  const std::pair<const char*, const char*> fallbacks[] = {
      {"Q2_K", "Q4_0"},    {"Q3_K_S", "Q4_0"},   {"Q4_K_S", "Q5_0"},  {"Q5_K_S", "Q5_1"},
      {"Q6_K", "Q8_0"},    {"TQ1_0", "Q4_0"},    {"IQ1_S", "IQ4_NL"}, {"IQ2_XXS", "IQ4_NL"},
      {"IQ2_M", "IQ4_NL"}, {"IQ3_XS", "IQ4_NL"}, {"IQ4_XS", "IQ4_NL"}};
  for (const auto& [scheme, fallback] : fallbacks) {
    const Types types = TypesOf(scheme);
    EXPECT_EQ(types.at("blk.0.attn_q.weight"), fallback) << scheme;
    EXPECT_EQ(types.at("output.weight"), "Q8_0") << scheme;
    EXPECT_EQ(types.at("output_norm.weight"), "F32") << scheme;
    EXPECT_THAT(notes_, testing::Contains(AllOf(HasSubstr("blk.0.attn_q.weight"), HasSubstr(fallback),
                                                HasSubstr("96 columns"), HasSubstr("256"))))
        << scheme;
  }
}

TEST_F(GgufTypesTest, KeepsHalvesWhereNoBlockFitsAtAll) {
  shape_.layers = 1;
  shape_.hidden = 40;
  for (const char* scheme : {"Q4_K_M", "Q4_0", "Q8_0"}) {
    EXPECT_EQ(TypesOf(scheme).at("blk.0.attn_q.weight"), "F16") << scheme;
    EXPECT_THAT(notes_, testing::Contains(AllOf(HasSubstr("blk.0.attn_q.weight is F16"), HasSubstr("40"))));
  }
}

TEST_F(GgufTypesTest, PureGivesAllMatricesOneType) {
  options_.pure = true;
  for (const auto& [name, type] : TypesOf("Q4_K_M"))
    EXPECT_EQ(type, name.find("norm") == std::string::npos ? "Q4_K" : "F32") << name;
}

TEST_F(GgufTypesTest, TakesTypesForTheEmbeddingAndTheOutput) {
  options_.output = FindCodec("Q8_0");
  options_.token_embedding = FindCodec("F16");
  const Types types = TypesOf("Q4_K_M");
  EXPECT_EQ(types.at("output.weight"), "Q8_0");
  EXPECT_EQ(types.at("token_embd.weight"), "F16");
}

TEST_F(GgufTypesTest, LeavesTheOutputInItsSourcesType) {
  options_.leave_output = true;
  EXPECT_EQ(TypesOf("Q4_K_M").at("output.weight"), "BF16");
}

TEST_F(GgufTypesTest, TheFirstExpressionThatMatchesANameWins) {
  options_.tensor_types = {{R"(blk\.[01]\.ffn_down)", FindCodec("Q8_0")}, {"ffn_down", FindCodec("Q5_K")}};
  const Types types = TypesOf("Q4_K_M");
  EXPECT_THAT(LayersWith(types, "ffn_down.weight", "Q8_0"), ElementsAre(0, 1));
  EXPECT_EQ(LayersWith(types, "ffn_down.weight", "Q5_K").size(), 30u);
  EXPECT_EQ(types.at("blk.0.ffn_up.weight"), "Q4_K");
}

TEST_F(GgufTypesTest, AnExpressionMayMatchAPartOfAName) {
  options_.tensor_types = {{"^blk.*_v\\.weight$", FindCodec("F16")}};
  EXPECT_EQ(LayersWith(TypesOf("Q4_0"), "attn_v.weight", "F16").size(), 32u);
}

TEST_F(GgufTypesTest, RefusesAnExpressionThatMatchesNothing) {
  options_.tensor_types = {{"ffn_down", FindCodec("Q8_0")}, {"no_such_tensor", FindCodec("Q8_0")}};
  EXPECT_THAT(Error("Q4_K_M"), AllOf(HasSubstr("no_such_tensor"), HasSubstr("matches no tensor")));
}

TEST_F(GgufTypesTest, RefusesABrokenExpression) {
  for (const char* text : {"(", "[a", "*", "a{2,1}", "\\", "(?=ffn)", "(a)\\1", "\xff"}) {
    options_.tensor_types = {{text, FindCodec("Q8_0")}};
    EXPECT_THAT(Error("Q4_K_M"), HasSubstr("no regular expression")) << text;
  }
}

// Backtracking engines need exponential time, or a deep stack, for these.
TEST_F(GgufTypesTest, HostileExpressionsNeitherHangNorCrash) {
  const std::string hostile[] = {"(.+)+(.+)+(.+)+x$",
                                 "(a|a)*(_|_)*((t+)+)+$z",
                                 std::string(1'000'000, '('),
                                 std::string(2000, '(') + std::string(2000, ')') + "z",
                                 "((((((x{100}){100}){100}){100}){100}){100})",
                                 std::string(1'000'000, 'a')};
  for (const std::string& text : hostile) {
    options_.tensor_types = {{text, FindCodec("Q8_0")}};
    EXPECT_THAT(Error("Q4_K_M"), HasSubstr("options[tensor_type]")) << text.substr(0, 40);
  }
}

}  // namespace
}  // namespace quantd
