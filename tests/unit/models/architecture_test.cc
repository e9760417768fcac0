#include "workers/models/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/support/checkpoint_builder.h"
#include "workers/models/model.h"

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The numbers of a model whose dimensions are all different.
HyperParameters Numbers() {
  HyperParameters p;
  p.hidden = 64;
  p.feed_forward = 96;
  p.layers = 2;
  p.heads = 4;
  p.key_value_heads = 2;
  p.explicit_head_size = 20;
  p.vocabulary = 40;
  p.context = 128;
  p.original_context = 128;
  p.rope_base = 10000.0;
  p.norm_epsilon = 1e-5;
  return p;
}

std::map<std::string, std::vector<int64_t>> Shapes(const Architecture& architecture) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const TensorRule& rule : architecture.tensors)
    shapes[TensorName(rule.huggingface, 1)] = rule.shape(Numbers());
  return shapes;
}

TEST(Architectures, AreFoundByTheirExactName) {
  ASSERT_NE(FindArchitecture("LlamaForCausalLM"), nullptr);
  ASSERT_NE(FindArchitecture("Phi3ForCausalLM"), nullptr);
  EXPECT_EQ(FindArchitecture("llamaforcausallm"), nullptr);
  EXPECT_EQ(FindArchitecture(""), nullptr);
}

TEST(Architectures, NameEveryTensorOnceInBothSpellings) {
  for (const Architecture* architecture : AllArchitectures()) {
    std::set<std::string_view> huggingface, gguf;
    std::set<TensorRole> roles;
    for (const TensorRule& rule : architecture->tensors) {
      EXPECT_TRUE(huggingface.insert(rule.huggingface).second) << rule.huggingface;
      EXPECT_TRUE(gguf.insert(rule.gguf).second) << rule.gguf;
      EXPECT_TRUE(roles.insert(rule.role).second) << rule.huggingface;
      EXPECT_EQ(rule.per_layer(), rule.gguf.find('#') != std::string_view::npos) << rule.gguf;
    }
  }
}

TEST(Architectures, PutTheLayersNumberIntoNames) {
  EXPECT_EQ(TensorName("blk.#.attn_q.weight", 31), "blk.31.attn_q.weight");
  EXPECT_EQ(TensorName("output.weight", -1), "output.weight");
}

TEST(Llama, ImpliesItsShapes) {
  const auto shapes = Shapes(*FindArchitecture("LlamaForCausalLM"));
  EXPECT_EQ(shapes.size(), 12u);
  EXPECT_THAT(shapes.at("model.embed_tokens.weight"), ElementsAre(40, 64));
  EXPECT_THAT(shapes.at("model.layers.1.self_attn.q_proj.weight"), ElementsAre(80, 64));
  EXPECT_THAT(shapes.at("model.layers.1.self_attn.k_proj.weight"), ElementsAre(40, 64));
  EXPECT_THAT(shapes.at("model.layers.1.self_attn.v_proj.weight"), ElementsAre(40, 64));
  EXPECT_THAT(shapes.at("model.layers.1.self_attn.o_proj.weight"), ElementsAre(64, 80));
  EXPECT_THAT(shapes.at("model.layers.1.mlp.gate_proj.weight"), ElementsAre(96, 64));
  EXPECT_THAT(shapes.at("model.layers.1.mlp.up_proj.weight"), ElementsAre(96, 64));
  EXPECT_THAT(shapes.at("model.layers.1.mlp.down_proj.weight"), ElementsAre(64, 96));
  EXPECT_THAT(shapes.at("model.norm.weight"), ElementsAre(64));
  EXPECT_THAT(shapes.at("lm_head.weight"), ElementsAre(40, 64));
}

TEST(Phi3, ImpliesItsFusedShapes) {
  const auto shapes = Shapes(*FindArchitecture("Phi3ForCausalLM"));
  EXPECT_EQ(shapes.size(), 9u);
  EXPECT_THAT(shapes.at("model.layers.1.self_attn.qkv_proj.weight"), ElementsAre(160, 64));
  EXPECT_THAT(shapes.at("model.layers.1.self_attn.o_proj.weight"), ElementsAre(64, 80));
  EXPECT_THAT(shapes.at("model.layers.1.mlp.gate_up_proj.weight"), ElementsAre(192, 64));
  EXPECT_THAT(shapes.at("model.layers.1.mlp.down_proj.weight"), ElementsAre(64, 96));
}

class ArchitectureChecks : public testing::Test {
 protected:
  absl::Status Check(const char* architecture) const { return FindArchitecture(architecture)->check(p_); }
  static RopeScaling Scaling(const char* type) {
    RopeScaling scaling;
    scaling.type = type;
    return scaling;
  }
  HyperParameters p_ = Numbers();
};

TEST_F(ArchitectureChecks, AcceptPlainModels) {
  EXPECT_TRUE(Check("LlamaForCausalLM").ok());
  EXPECT_TRUE(Check("Phi3ForCausalLM").ok());
}

TEST_F(ArchitectureChecks, RefuseBiases) {
  p_.attention_bias = true;
  for (const char* name : {"LlamaForCausalLM", "Phi3ForCausalLM"}) {
    EXPECT_EQ(Check(name).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(Check(name).message()), HasSubstr("attention_bias"));
  }
}

TEST_F(ArchitectureChecks, NameTheRopeScalingsThatAreKnown) {
  p_.rope_scaling = Scaling("yarn");
  for (const auto& [name, known] :
       {std::pair("LlamaForCausalLM", "llama3"), {"Phi3ForCausalLM", "longrope"}}) {
    EXPECT_EQ(Check(name).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(Check(name).message()), AllOf(HasSubstr("yarn"), HasSubstr(known)));
  }
}

TEST_F(ArchitectureChecks, CountLongRopesFactors) {
  const size_t pairs = static_cast<size_t>(p_.rotary_size() / 2);
  p_.rope_scaling = Scaling("longrope");
  p_.rope_scaling->long_factors.assign(pairs, 1.0);
  p_.rope_scaling->short_factors.assign(pairs, 1.0);
  EXPECT_TRUE(Check("Phi3ForCausalLM").ok());
  p_.original_context = 1;
  EXPECT_THAT(std::string(Check("Phi3ForCausalLM").message()), HasSubstr("too small"));
  p_.original_context = 128;
  p_.rope_scaling->long_factors.pop_back();
  EXPECT_EQ(Check("Phi3ForCausalLM").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Check("Phi3ForCausalLM").message()), HasSubstr("long"));
}

TEST_F(ArchitectureChecks, PhiNeedsItsRotarySettings) {
  p_.original_context.reset();
  EXPECT_THAT(std::string(Check("Phi3ForCausalLM").message()), HasSubstr("original_max_position_embeddings"));
  p_ = Numbers();
  p_.rope_base.reset();
  EXPECT_THAT(std::string(Check("Phi3ForCausalLM").message()), HasSubstr("rope_theta"));
}

}  // namespace
}  // namespace quantd
