// The decoder's graph as specification: every node of a layer, and what recipes and models change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/unit/models/onnx_checkpoint.h"
#include "workers/models/targets/onnx/decoder_graph.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string TextOf(const onnx::AttributeProto& attribute) {
  switch (attribute.type()) {
    case onnx::AttributeProto::INT:
      return absl::StrCat(attribute.name(), "=", attribute.i());
    case onnx::AttributeProto::FLOAT:
      return absl::StrCat(attribute.name(), "=", attribute.f());
    case onnx::AttributeProto::INTS:
      return absl::StrCat(attribute.name(), "=[", absl::StrJoin(attribute.ints(), ","), "]");
    default:
      return absl::StrCat(attribute.name(), "=…");
  }
}

// "MatMul name: input, weight -> output | attribute=1"
std::string TextOf(const onnx::NodeProto& node) {
  std::string text =
      absl::StrCat(node.domain().empty() ? "" : "ms.", node.op_type(), " ", node.name(), ": ",
                   absl::StrJoin(node.input(), ", "), " -> ", absl::StrJoin(node.output(), ", "));
  if (node.attribute_size() == 0) return text;
  return absl::StrCat(text, " | ",
                      absl::StrJoin(node.attribute(), " ", [](std::string* out, const auto& attribute) {
                        absl::StrAppend(out, TextOf(attribute));
                      }));
}

// "name FLOAT [2,x]"
std::string TextOf(const onnx::ValueInfoProto& value) {
  const auto& tensor = value.type().tensor_type();
  std::vector<std::string> sizes;
  for (const auto& size : tensor.shape().dim())
    sizes.push_back(size.has_dim_param() ? size.dim_param() : absl::StrCat(size.dim_value()));
  return absl::StrCat(
      value.name(), " ",
      onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(tensor.elem_type())), " [",
      absl::StrJoin(sizes, ","), "]");
}

std::string TextOf(const onnx::TensorProto& tensor) {
  return absl::StrCat(
      tensor.name(), " ",
      onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(tensor.data_type())), " [",
      absl::StrJoin(tensor.dims(), ","), "]");
}

template <typename Range>
std::vector<std::string> Texts(const Range& range) {
  std::vector<std::string> texts;
  for (const auto& entry : range) texts.push_back(TextOf(entry));
  return texts;
}

constexpr char kMask[] = "/model/attn_mask_reformat/attn_mask_subgraph/";

class OnnxGraphTest : public testing::Test {
 protected:
  // Of one layer, whose heads are 16 wide.
  void SetModel(bool is_phi3, SmallModel shape) {
    shape.layers = 1;
    checkpoint_.files = is_phi3 ? SmallPhi3(shape) : SmallLlama(shape);
  }
  onnx::ModelProto Build(const std::string& scheme,
                         const std::vector<std::pair<std::string, std::string>>& options = {}) {
    checkpoint_.spec = {"onnx", scheme, options};
    return BuildDecoderGraph(checkpoint_.Read());
  }
  // Nodes whose names begin with one of these.
  static std::vector<std::string> NodesOf(const onnx::ModelProto& model, const std::string& prefix) {
    std::vector<std::string> texts;
    for (const onnx::NodeProto& node : model.graph().node()) {
      if (node.name().rfind(prefix, 0) == 0) texts.push_back(TextOf(node));
    }
    return texts;
  }

  OnnxCheckpoint checkpoint_{.files = SmallLlama({.layers = 1})};
};

TEST_F(OnnxGraphTest, TheModelSaysWhatItNeeds) {
  const onnx::ModelProto model = Build("fp32");
  EXPECT_EQ(model.ir_version(), 10);
  ASSERT_EQ(model.opset_import_size(), 2);
  EXPECT_EQ(model.opset_import(0).domain(), "");
  EXPECT_EQ(model.opset_import(0).version(), 22);
  EXPECT_EQ(model.opset_import(1).domain(), "com.microsoft");
  EXPECT_EQ(model.opset_import(1).version(), 1);
  EXPECT_EQ(model.graph().name(), "main_graph");
}

TEST_F(OnnxGraphTest, InputsAndOutputs) {
  checkpoint_.files = SmallLlama({});
  const onnx::ModelProto model = Build("fp16");
  EXPECT_THAT(
      Texts(model.graph().input()),
      ElementsAre("input_ids INT64 [batch_size,sequence_length]",
                  "attention_mask INT64 [batch_size,total_sequence_length]",
                  "past_key_values.0.key FLOAT16 [batch_size,2,past_sequence_length,kv_cache_dim]",
                  "past_key_values.1.key FLOAT16 [batch_size,2,past_sequence_length,kv_cache_dim]",
                  "past_key_values.0.value FLOAT16 [batch_size,2,past_sequence_length,kv_cache_dim]",
                  "past_key_values.1.value FLOAT16 [batch_size,2,past_sequence_length,kv_cache_dim]"));
  EXPECT_THAT(Texts(model.graph().output()),
              ElementsAre("logits FLOAT16 [batch_size,sequence_length,40]",
                          "present.0.key FLOAT16 [batch_size,2,total_sequence_length,kv_cache_dim]",
                          "present.1.key FLOAT16 [batch_size,2,total_sequence_length,kv_cache_dim]",
                          "present.0.value FLOAT16 [batch_size,2,total_sequence_length,kv_cache_dim]",
                          "present.1.value FLOAT16 [batch_size,2,total_sequence_length,kv_cache_dim]"));
}

TEST_F(OnnxGraphTest, EveryNodeOfAFloatModel) {
  const std::string mask = kMask, layer = "/model/layers.0/", weights = "model.layers.0.";
  const std::vector<std::string> expected = {
      "Constant /model/constant_nodes/INT64/[1]:  -> /model/constants/INT64/[1] | value=…",
      "ReduceSum " + mask + "ReduceSum: attention_mask, /model/constants/INT64/[1] -> " + mask +
          "ReduceSum/output_0 | keepdims=0",
      "Sub " + mask + "Sub: " + mask + "ReduceSum/output_0, /model/constants/INT64/[1] -> " + mask +
          "Sub/output_0",
      "Cast " + mask + "Sub/Cast: " + mask + "Sub/output_0 -> " + mask + "Sub/Cast/output_0 | to=6",
      "Shape " + mask + "Shape: attention_mask -> " + mask + "Shape/output_0",
      "Constant /model/constant_nodes/INT64/1:  -> /model/constants/INT64/1 | value=…",
      "Gather " + mask + "Gather: " + mask + "Shape/output_0, /model/constants/INT64/1 -> " + mask +
          "Gather/output_0 | axis=0",
      "Cast " + mask + "Gather/Cast: " + mask + "Gather/output_0 -> " + mask + "Gather/Cast/output_0 | to=6",
      "Gather /model/embed_tokens/Gather: model.embed_tokens.weight, input_ids -> "
      "/model/embed_tokens/Gather/output_0",
      "SimplifiedLayerNormalization " + layer +
          "input_layernorm/LayerNorm: /model/embed_tokens/Gather/output_0, " + weights +
          "input_layernorm.weight -> " + layer +
          "input_layernorm/output_0 | epsilon=1e-05 axis=-1 stash_type=1",
      "MatMul " + layer + "attn/qkv_proj/MatMul: " + layer + "input_layernorm/output_0, " + weights +
          "attn.qkv_proj.MatMul.weight -> " + layer + "attn/qkv_proj/MatMul/output_0",
      "ms.GroupQueryAttention " + layer + "attn/GroupQueryAttention: " + layer +
          "attn/qkv_proj/MatMul/output_0, , , past_key_values.0.key, past_key_values.0.value, " + mask +
          "Sub/Cast/output_0, " + mask + "Gather/Cast/output_0, cos_cache, sin_cache, , ,  -> " + layer +
          "attn/GroupQueryAttention/output_0, present.0.key, present.0.value | num_heads=4 kv_num_heads=2 "
          "scale=0.25 local_window_size=-1 softcap=0 do_rotary=1 rotary_interleaved=0",
      "MatMul " + layer + "attn/o_proj/MatMul: " + layer + "attn/GroupQueryAttention/output_0, " + weights +
          "attn.o_proj.MatMul.weight -> " + layer + "attn/o_proj/MatMul/output_0",
      "ms.SkipSimplifiedLayerNormalization " + layer +
          "post_attention_layernorm/SkipLayerNorm: /model/embed_tokens/Gather/output_0, " + layer +
          "attn/o_proj/MatMul/output_0, " + weights + "post_attention_layernorm.weight -> " + layer +
          "post_attention_layernorm/output_0, , , " + layer +
          "post_attention_layernorm/output_3 | epsilon=1e-05",
      "MatMul " + layer + "mlp/gate_proj/MatMul: " + layer + "post_attention_layernorm/output_0, " + weights +
          "mlp.gate_proj.MatMul.weight -> " + layer + "mlp/gate_proj/MatMul/output_0",
      "MatMul " + layer + "mlp/up_proj/MatMul: " + layer + "post_attention_layernorm/output_0, " + weights +
          "mlp.up_proj.MatMul.weight -> " + layer + "mlp/up_proj/MatMul/output_0",
      "Sigmoid " + layer + "mlp/act_fn/Sigmoid: " + layer + "mlp/gate_proj/MatMul/output_0 -> " + layer +
          "mlp/act_fn/Sigmoid/output_0",
      "Mul " + layer + "mlp/act_fn/Mul: " + layer + "mlp/gate_proj/MatMul/output_0, " + layer +
          "mlp/act_fn/Sigmoid/output_0 -> " + layer + "mlp/act_fn/Mul/output_0",
      "Mul " + layer + "mlp/Mul: " + layer + "mlp/act_fn/Mul/output_0, " + layer +
          "mlp/up_proj/MatMul/output_0 -> " + layer + "mlp/Mul/output_0",
      "MatMul " + layer + "mlp/down_proj/MatMul: " + layer + "mlp/Mul/output_0, " + weights +
          "mlp.down_proj.MatMul.weight -> " + layer + "mlp/down_proj/MatMul/output_0",
      "ms.SkipSimplifiedLayerNormalization /model/layers.1/final_norm_layernorm/SkipLayerNorm: " + layer +
          "post_attention_layernorm/output_3, " + layer +
          "mlp/down_proj/MatMul/output_0, model.layers.1.final_norm_layernorm.weight -> "
          "/model/layers.1/final_norm_layernorm/output_0 | epsilon=1e-05",
      "MatMul /lm_head/MatMul: /model/layers.1/final_norm_layernorm/output_0, lm_head.MatMul.weight -> "
      "logits"};
  EXPECT_THAT(Texts(Build("fp32").graph().node()), ElementsAreArray(expected));
  EXPECT_THAT(Texts(Build("fp16", {{"ep", "cuda"}}).graph().node()), ElementsAreArray(expected));
  SetModel(/*is_phi3=*/true, {});
  EXPECT_THAT(Texts(Build("fp32").graph().node()), ElementsAreArray(expected))
      << "fused projections are the same";
}

TEST_F(OnnxGraphTest, LaterLayersAddTheLastOnesResult) {
  checkpoint_.files = SmallLlama({});
  EXPECT_THAT(
      NodesOf(Build("fp32"), "/model/layers.1/input_layernorm"),
      ElementsAre("ms.SkipSimplifiedLayerNormalization /model/layers.1/input_layernorm/SkipLayerNorm: "
                  "/model/layers.0/post_attention_layernorm/output_3, "
                  "/model/layers.0/mlp/down_proj/MatMul/output_0, model.layers.1.input_layernorm.weight -> "
                  "/model/layers.1/input_layernorm/output_0, , , /model/layers.1/input_layernorm/output_3 "
                  "| epsilon=1e-05"));
}

TEST_F(OnnxGraphTest, FloatMatricesAreTransposed) {
  EXPECT_THAT(Texts(Build("bf16", {{"ep", "cuda"}}).graph().initializer()),
              ElementsAre("cos_cache BFLOAT16 [128,8]", "sin_cache BFLOAT16 [128,8]",
                          "model.embed_tokens.weight BFLOAT16 [40,64]",
                          "model.layers.0.input_layernorm.weight BFLOAT16 [64]",
                          "model.layers.0.attn.qkv_proj.MatMul.weight BFLOAT16 [64,128]",
                          "model.layers.0.attn.o_proj.MatMul.weight BFLOAT16 [64,64]",
                          "model.layers.0.post_attention_layernorm.weight BFLOAT16 [64]",
                          "model.layers.0.mlp.gate_proj.MatMul.weight BFLOAT16 [64,96]",
                          "model.layers.0.mlp.up_proj.MatMul.weight BFLOAT16 [64,96]",
                          "model.layers.0.mlp.down_proj.MatMul.weight BFLOAT16 [96,64]",
                          "model.layers.1.final_norm_layernorm.weight BFLOAT16 [64]",
                          "lm_head.MatMul.weight BFLOAT16 [64,40]"));
}

TEST_F(OnnxGraphTest, LogitsOfBf16AreFloats) {
  const onnx::ModelProto model = Build("bf16", {{"ep", "cuda"}});
  EXPECT_THAT(NodesOf(model, "/lm_head"),
              ElementsAre(HasSubstr("-> /lm_head/MatMul/output_0"),
                          "Cast /lm_head/Cast: /lm_head/MatMul/output_0 -> logits | to=1"));
  EXPECT_EQ(TextOf(model.graph().output(0)), "logits FLOAT [batch_size,sequence_length,40]");
}

TEST_F(OnnxGraphTest, QuantizedMatricesAreBlocksInTheirOwnOrder) {
  const onnx::ModelProto model = Build("int4");
  EXPECT_THAT(
      NodesOf(model, "/model/layers.0/mlp/down_proj"),
      ElementsAre("ms.MatMulNBits /model/layers.0/mlp/down_proj/MatMul_Q4: /model/layers.0/mlp/Mul/output_0, "
                  "model.layers.0.mlp.down_proj.MatMul.weight_Q4, "
                  "model.layers.0.mlp.down_proj.MatMul.weight_scales -> "
                  "/model/layers.0/mlp/down_proj/MatMul/output_0 | "
                  "K=96 N=64 accuracy_level=4 bits=4 block_size=32"));
  EXPECT_THAT(Texts(model.graph().initializer()),
              AllOf(Contains("model.layers.0.mlp.down_proj.MatMul.weight_Q4 UINT8 [64,3,16]"),
                    Contains("model.layers.0.mlp.down_proj.MatMul.weight_scales FLOAT [64,3]"),
                    Contains("model.embed_tokens.weight FLOAT [40,64]")));
}

TEST_F(OnnxGraphTest, ZeroPointsAreAThirdPlane) {
  const onnx::ModelProto model =
      Build("int4", {{"algorithm", "k_quant"}, {"ep", "cuda"}, {"mixed", "last_matmul"}});
  EXPECT_THAT(NodesOf(model, "/model/layers.0/mlp/down_proj"),
              ElementsAre(HasSubstr("weight_Q4G32, model.layers.0.mlp.down_proj.MatMul.weight_scale, "
                                    "model.layers.0.mlp.down_proj.MatMul.weight_zp -> ")));
  EXPECT_THAT(NodesOf(model, "/lm_head"), ElementsAre(HasSubstr("MatMul_Q8")));
  EXPECT_THAT(NodesOf(model, "/lm_head"), ElementsAre(HasSubstr("| K=64 N=40 bits=8 block_size=32")));
  EXPECT_THAT(Texts(model.graph().initializer()),
              AllOf(Contains("model.layers.0.mlp.down_proj.MatMul.weight_zp UINT8 [64,2]"),
                    Contains("lm_head.MatMul.weight_Q8G32 UINT8 [40,2,32]"),
                    Contains("lm_head.MatMul.weight_zp UINT8 [40,2]")));
}

TEST_F(OnnxGraphTest, TiedFloatEmbeddingsReadTheTransposedOutput) {
  SetModel(/*is_phi3=*/false, {.tied = true});
  const onnx::ModelProto model = Build("fp16");
  EXPECT_THAT(
      NodesOf(model, "/model/embed_tokens"),
      ElementsAre("Transpose /model/embed_tokens/Transpose: lm_head.MatMul.weight -> "
                  "/model/embed_tokens/Transpose/output_0 | perm=[1,0]",
                  "Gather /model/embed_tokens/Gather: /model/embed_tokens/Transpose/output_0, input_ids -> "
                  "/model/embed_tokens/Gather/output_0"));
  EXPECT_THAT(Texts(model.graph().initializer()), Not(Contains(HasSubstr("embed_tokens"))));
}

TEST_F(OnnxGraphTest, TiedQuantizedEmbeddingsReadTheOutputsBlocks) {
  SetModel(/*is_phi3=*/false, {.tied = true});
  const std::string gather = "/model/embed_tokens/GatherBlockQuantized";
  EXPECT_THAT(
      NodesOf(Build("int4"), "/model/embed_tokens"),
      ElementsAre("Reshape /model/embed_tokens/Reshape: lm_head.MatMul.weight_Q4, "
                  "/model/constants/INT64/[40, 32] -> /model/embed_tokens/Reshape/output_0",
                  "ms.GatherBlockQuantized " + gather +
                      ": /model/embed_tokens/Reshape/output_0, input_ids, lm_head.MatMul.weight_scales -> " +
                      gather + "/output_0 | bits=4 block_size=32 gather_axis=0 quantize_axis=1"));
  EXPECT_THAT(NodesOf(Build("int8", {{"symmetric", "false"}}), "/model/embed_tokens"),
              ElementsAre(HasSubstr("lm_head.MatMul.weight_Q8, /model/constants/INT64/[40, 64]"),
                          AllOf(HasSubstr("weight_scales, lm_head.MatMul.weight_zero_points ->"),
                                HasSubstr("bits=8"))));
  EXPECT_THAT(NodesOf(Build("int4", {{"mixed", "last_matmul"}}), "/model/embed_tokens"),
              Contains(HasSubstr("weight_Q8, /model/constants/INT64/[40, 64]")));
}

TEST_F(OnnxGraphTest, PaddingOfATiedEmbeddingsLastBlockIsCutOff) {
  SetModel(/*is_phi3=*/false, {.tied = true});
  const onnx::ModelProto model = Build("int4", {{"block_size", "128"}});  // rows of 64
  const std::string gather = "/model/embed_tokens/GatherBlockQuantized/output_0";
  EXPECT_THAT(
      NodesOf(model, "/model/embed_tokens/Slice"),
      ElementsAre("Slice /model/embed_tokens/Slice: " + gather +
                  ", /model/constants/INT64/[0], /model/constants/INT64/[64], /model/constants/INT64/[-1] -> "
                  "/model/embed_tokens/Slice/output_0"));
  EXPECT_THAT(NodesOf(model, "/model/layers.0/input_layernorm"),
              ElementsAre(HasSubstr("LayerNorm: /model/embed_tokens/Slice/output_0")));
  EXPECT_THAT(Texts(model.graph().value_info()),
              Contains(gather + " FLOAT [batch_size,sequence_length,128]"));
}

TEST_F(OnnxGraphTest, LongRopeChoosesItsCachesByTheLength) {
  SetModel(/*is_phi3=*/true, {});
  checkpoint_.Set({{"rope_scaling", LongRopeScaling(8)}});
  const onnx::ModelProto model = Build("fp16");
  const std::string mask = kMask, subgraph = "/model/rope_caches_subgraph/";
  EXPECT_THAT(
      NodesOf(model, subgraph),
      ElementsAre("Greater " + subgraph + "Greater: " + mask +
                      "Gather/output_0, /model/constants/INT64/64 -> " + subgraph + "Greater/output_0",
                  "If " + subgraph + "If: " + subgraph +
                      "Greater/output_0 -> cos_cache, sin_cache | else_branch=… then_branch=…"));
  const onnx::NodeProto& choice = model.graph().node(5);
  ASSERT_EQ(choice.op_type(), "If");
  const onnx::GraphProto& large = choice.attribute(1).g();
  EXPECT_EQ(large.name(), "large_rope_caches_graph");
  EXPECT_THAT(Texts(large.node()), ElementsAre("Identity /large/cos_cache_large/Identity: cos_cache_large -> "
                                               "/large/cos_cache_large/Identity/output_0",
                                               "Identity /large/sin_cache_large/Identity: sin_cache_large -> "
                                               "/large/sin_cache_large/Identity/output_0"));
  EXPECT_THAT(Texts(large.output()), ElementsAre("/large/cos_cache_large/Identity/output_0 FLOAT16 [128,8]",
                                                 "/large/sin_cache_large/Identity/output_0 FLOAT16 [128,8]"));
  EXPECT_EQ(choice.attribute(0).g().name(), "small_rope_caches_graph");
  EXPECT_THAT(Texts(model.graph().initializer()), Contains("cos_cache_small FLOAT16 [64,8]"));
}

TEST_F(OnnxGraphTest, AttentionKeepsToAWindowNarrowerThanTheContext) {
  SetModel(/*is_phi3=*/true, {});
  checkpoint_.Set({{"sliding_window", 24}});
  EXPECT_THAT(NodesOf(Build("int4"), "/model/layers.0/attn/GroupQueryAttention"),
              ElementsAre(HasSubstr("local_window_size=24")));
}

TEST_F(OnnxGraphTest, DirectMlTakesProjectionsApartAndRotatesBeforeAttention) {
  const onnx::ModelProto model = Build("fp16", {{"ep", "dml"}});
  EXPECT_EQ(TextOf(model.graph().input(2)), "position_ids INT64 [batch_size,sequence_length]");
  const std::string attention = "/model/layers.0/attn/", mask = kMask;
  EXPECT_THAT(
      NodesOf(model, attention),
      ElementsAre(HasSubstr("q_proj/MatMul:"), HasSubstr("k_proj/MatMul:"), HasSubstr("v_proj/MatMul:"),
                  "ms.RotaryEmbedding " + attention + "q_rotary/RotaryEmbedding: " + attention +
                      "q_proj/MatMul/output_0, position_ids, cos_cache, sin_cache -> " + attention +
                      "q_rotary/RotaryEmbedding/output_0 | interleaved=0 num_heads=0 rotary_embedding_dim=0",
                  HasSubstr("k_rotary/RotaryEmbedding"),
                  AllOf(HasSubstr("attn/v_proj/MatMul/output_0, past_key_values.0.key, "
                                  "past_key_values.0.value, " +
                                  mask + "Sub/Cast/output_0, " + mask + "Gather/Cast/output_0, , , , ,  -> "),
                        HasSubstr("do_rotary=0")),
                  HasSubstr("o_proj")));
  EXPECT_THAT(Texts(model.graph().initializer()),
              Contains("model.layers.0.attn.k_proj.MatMul.weight FLOAT16 [64,32]"));
}

TEST_F(OnnxGraphTest, DirectMlShiftsPositionsForLongRope) {
  SetModel(/*is_phi3=*/true, {});
  checkpoint_.Set({{"rope_scaling", LongRopeScaling(8)}});
  const onnx::ModelProto model = Build("fp16", {{"ep", "dml"}});
  const std::string shift = "/model/pos_ids_reformat/";
  EXPECT_THAT(
      NodesOf(model, shift),
      ElementsAre(
          "ReduceMax " + shift + "ReduceMax: position_ids -> " + shift + "ReduceMax/output_0 | keepdims=0",
          "GreaterOrEqual " + shift + "GreaterOrEqual: " + shift +
              "ReduceMax/output_0, /model/constants/INT64/64 -> " + shift + "GreaterOrEqual/output_0",
          "Cast " + shift + "Cast: " + shift + "GreaterOrEqual/output_0 -> " + shift + "Cast/output_0 | to=7",
          "Mul " + shift + "Mul: " + shift + "Cast/output_0, /model/constants/INT64/64 -> " + shift +
              "Mul/output_0",
          "Add " + shift + "Add_1: " + shift + "Mul/output_0, position_ids -> " + shift + "Add_1/output_0"));
  EXPECT_THAT(NodesOf(model, "/model/layers.0/attn/q_rotary"),
              ElementsAre(HasSubstr("/model/pos_ids_reformat/Add_1/output_0, cos_cache, sin_cache")));
  EXPECT_THAT(NodesOf(model, "/model/rope_caches_subgraph"), IsEmpty());
}

TEST_F(OnnxGraphTest, DirectMlIsToldWhatPartOfAHeadIsRotated) {
  SetModel(/*is_phi3=*/true, {});
  checkpoint_.Set({{"partial_rotary_factor", 0.75}});
  EXPECT_THAT(NodesOf(Build("fp16", {{"ep", "dml"}}), "/model/layers.0/attn/k_rotary"),
              ElementsAre(HasSubstr("num_heads=2 rotary_embedding_dim=12")));
}

}  // namespace
}  // namespace quantd
