// The OpenVINO graph of a decoder: its inputs, states and outputs, and the patterns that runtimes look for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "workers/models/targets/openvino/decoder_graph.h"

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

HyperParameters Parameters() {
  HyperParameters p;
  p.hidden = 32;
  p.feed_forward = 48;
  p.layers = 2;
  p.heads = 4;
  p.key_value_heads = 2;
  p.vocabulary = 40;
  p.context = 128;
  p.norm_epsilon = 1e-5;
  return p;
}

void AddMatrices(const std::vector<std::string>& names, const WeightForm& form, OpenVinoDecoder& decoder) {
  for (const std::string& name : names) {
    for (int layer = 0; layer < 2; ++layer) {
      const std::string full = "model.layers." + std::to_string(layer) + "." + name + ".weight";
      decoder.matrices[full] = {full, 16, 32, form};
    }
  }
  decoder.matrices[kEmbeddingName] = {kEmbeddingName, 40, 32, {IrType::kU8}};
  decoder.matrices[kOutputName] = {kOutputName, 40, 32, {IrType::kU8}};
}

OpenVinoDecoder Llama(const WeightForm& form = {IrType::kU4, 32}) {
  OpenVinoDecoder decoder;
  decoder.parameters = Parameters();
  AddMatrices({"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
               "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"},
              form, decoder);
  return decoder;
}

OpenVinoDecoder Phi3() {
  OpenVinoDecoder decoder;
  decoder.parameters = Parameters();
  decoder.has_fused_projections = true;
  AddMatrices({"self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"},
              {IrType::kI4, 32}, decoder);
  return decoder;
}

int Count(const IrModel& model, const std::string& type) {
  return static_cast<int>(std::count_if(model.layers.begin(), model.layers.end(),
                                        [&](const IrLayer& layer) { return layer.type == type; }));
}

const IrLayer& Find(const IrModel& model, const std::string& type) {
  return *std::find_if(model.layers.begin(), model.layers.end(),
                       [&](const IrLayer& layer) { return layer.type == type; });
}

const IrLayer& InputOf(const IrModel& model, const IrLayer& layer, size_t port) {
  return model.layers[layer.inputs[port].layer];
}

// The types of layers from the last one back along first inputs.
std::vector<std::string> Chain(const IrModel& model, const IrLayer* layer) {
  std::vector<std::string> types;
  while (true) {
    types.push_back(layer->type);
    if (layer->inputs.empty()) return types;
    layer = &InputOf(model, *layer, 0);
  }
}

std::set<std::string> TensorNames(const IrModel& model) {
  std::set<std::string> names;
  for (const IrLayer& layer : model.layers) {
    for (const IrOutput& output : layer.outputs) names.insert(output.tensor_name);
  }
  names.erase("");
  return names;
}

TEST(OpenVinoGraphTest, CallersFindInputsStatesAndLogits) {
  EXPECT_THAT(TensorNames(BuildOpenVinoModel(Llama())),
              UnorderedElementsAre("input_ids", "attention_mask", "position_ids", "beam_idx", "logits",
                                   "past_key_values.0.key", "past_key_values.0.value",
                                   "past_key_values.1.key", "past_key_values.1.value"));
}

TEST(OpenVinoGraphTest, EveryLayerComesAfterItsInputsAndHasANameOfItsOwn) {
  const IrModel model = BuildOpenVinoModel(Phi3());
  std::set<std::string> names;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    EXPECT_TRUE(names.insert(model.layers[i].name).second) << model.layers[i].name;
    for (const IrPort& input : model.layers[i].inputs) {
      ASSERT_LT(input.layer, i);
      EXPECT_LT(input.output, model.layers[input.layer].outputs.size());
    }
  }
}

TEST(OpenVinoGraphTest, EveryStateIsReadForTheBeamExtendedAndAssigned) {
  const IrModel model = BuildOpenVinoModel(Llama());
  EXPECT_EQ(Count(model, "ReadValue"), 4);
  EXPECT_EQ(Count(model, "Assign"), 4);
  const IrLayer& assign = Find(model, "Assign");
  EXPECT_EQ(assign.attributes[0].second, "past_key_values.0.keypresent.0.key");
  const IrLayer& all = InputOf(model, assign, 0);
  EXPECT_EQ(all.type, "Concat");
  const IrLayer& of_beam = InputOf(model, all, 0);
  EXPECT_EQ(of_beam.type, "Gather");
  EXPECT_EQ(InputOf(model, of_beam, 0).type, "ReadValue");
  EXPECT_EQ(InputOf(model, of_beam, 1).name, "beam_idx");
}

TEST(OpenVinoGraphTest, AttentionTakesRepeatedHeadsAMaskAndAScale) {
  OpenVinoDecoder decoder = Llama();
  const IrModel shared = BuildOpenVinoModel(decoder);
  const IrLayer& attention = Find(shared, "ScaledDotProductAttention");
  ASSERT_EQ(attention.inputs.size(), 5u);
  EXPECT_EQ(InputOf(shared, attention, 0).type, "Add");
  EXPECT_EQ(InputOf(shared, attention, 1).type, "Reshape");
  EXPECT_EQ(InputOf(shared, InputOf(shared, attention, 1), 0).type, "Broadcast");
  EXPECT_EQ(InputOf(shared, attention, 3).type, "Select");
  decoder.parameters.key_value_heads = 4;
  const IrModel single = BuildOpenVinoModel(decoder);
  EXPECT_EQ(InputOf(single, Find(single, "ScaledDotProductAttention"), 1).type, "Concat");
}

TEST(OpenVinoGraphTest, WeightsAreDecompressedInTheStepsThatRuntimesKeep) {
  const auto steps = [](const WeightForm& form) {
    IrBuilder ir;
    AddMatrix({"a.weight", 16, 64, form}, 1, ir);
    const IrModel model = ir.Take("");
    EXPECT_EQ(model.layers.back().decompresses, form.type != IrType::kF32);
    return Chain(model, &model.layers.back());
  };
  EXPECT_THAT(steps({IrType::kU4, 32}),
              ElementsAre("Convert", "Reshape", "Multiply", "Subtract", "Convert", "Const"));
  EXPECT_THAT(steps({IrType::kI4, 32}), ElementsAre("Convert", "Reshape", "Multiply", "Convert", "Const"));
  EXPECT_THAT(steps({IrType::kI4}), ElementsAre("Convert", "Multiply", "Convert", "Const"));
  EXPECT_THAT(steps({IrType::kU8}), ElementsAre("Convert", "Multiply", "Subtract", "Convert", "Const"));
  EXPECT_THAT(steps({IrType::kF16}), ElementsAre("Convert", "Const"));
  EXPECT_THAT(steps({IrType::kF32}), ElementsAre("Const"));
}

TEST(OpenVinoGraphTest, ConstantsHaveNncfsNames) {
  EXPECT_THAT(PlaneConstants({"model.a.weight", 1, 32, {IrType::kU8}}),
              ElementsAre("self.model.a._openvino_orig_weight", "self.model.a._openvino_orig_weight/scale",
                          "self.model.a._openvino_orig_weight/zero_point"));
  EXPECT_THAT(PlaneConstants({"model.a.weight", 1, 32, {IrType::kF16}}),
              ElementsAre("self.model.a._openvino_orig_weight"));
  EXPECT_THAT(PlaneConstants({"model.a.weight", 1, 32, {IrType::kF32}}), ElementsAre("self.model.a.weight"));
}

TEST(OpenVinoGraphTest, FusedProjectionsAreCut) {
  const IrModel model = BuildOpenVinoModel(Phi3());
  EXPECT_EQ(Count(model, "VariadicSplit"), 4);
  EXPECT_EQ(Find(model, "VariadicSplit").outputs.size(), 3u);
  EXPECT_EQ(Count(BuildOpenVinoModel(Llama()), "VariadicSplit"), 0);
}

TEST(OpenVinoGraphTest, ASharedEmbeddingIsOneSubgraph) {
  OpenVinoDecoder decoder = Llama();
  const int apart = Count(BuildOpenVinoModel(decoder), "Const");
  decoder.output_is_embedding = true;
  const IrModel shared = BuildOpenVinoModel(decoder);
  EXPECT_EQ(Count(shared, "Const"), apart - 3);
  const auto logits = std::find_if(shared.layers.begin(), shared.layers.end(),
                                   [](const IrLayer& layer) { return layer.name == "logits"; });
  const auto embedding = std::find_if(shared.layers.begin(), shared.layers.end(), [&](const IrLayer& layer) {
    return layer.type == "Gather" && InputOf(shared, layer, 0).decompresses;
  });
  EXPECT_EQ(logits->inputs[1].layer, embedding->inputs[0].layer);
}

TEST(OpenVinoGraphTest, LongRopeTakesItsFactorsByTheLastPosition) {
  OpenVinoDecoder decoder = Phi3();
  decoder.parameters.original_context = 64;
  RopeScaling& scaling = decoder.parameters.rope_scaling.emplace();
  scaling.type = "longrope";
  scaling.short_factors = {1, 1, 1, 1};
  scaling.long_factors = {2, 2, 2, 2};
  const IrModel model = BuildOpenVinoModel(decoder);
  EXPECT_EQ(Count(model, "ReduceMax"), 1);
  EXPECT_EQ(InputOf(model, Find(model, "Select"), 0).type, "Greater");
}

TEST(OpenVinoGraphTest, PartOfAHeadIsRotated) {
  OpenVinoDecoder decoder = Llama();
  decoder.parameters.partial_rotary = 0.5;
  const IrModel model = BuildOpenVinoModel(decoder);
  EXPECT_EQ(Count(model, "VariadicSplit"), 4);  // of query and key of each layer
  EXPECT_EQ(InputOf(model, Find(model, "ScaledDotProductAttention"), 0).type, "Concat");
}

// The operations in which OpenVINO looks for a window when it pages attention.
TEST(OpenVinoGraphTest, AWindowStandsInTheMaskOfTransformers) {
  OpenVinoDecoder decoder = Phi3();
  EXPECT_EQ(Count(BuildOpenVinoModel(decoder), "BitwiseAnd"), 0);
  decoder.attention_window = 16;
  const IrModel model = BuildOpenVinoModel(decoder);
  const IrLayer& mask = InputOf(model, Find(model, "ScaledDotProductAttention"), 3);
  EXPECT_THAT(Chain(model, &mask), testing::Contains("BitwiseAnd"));
  EXPECT_EQ(mask.type, "Slice");
  const IrLayer& broadcast = InputOf(model, InputOf(model, mask, 0), 0);
  EXPECT_EQ(broadcast.type, "Broadcast");
  EXPECT_EQ(Count(model, "BitwiseAnd"), 4);
}

TEST(OpenVinoGraphTest, ModelsInFloatsKeepTheirCacheInHalves) {
  OpenVinoDecoder decoder = Llama({IrType::kF16});
  decoder.cache_precision = "f16";
  const IrModel model = BuildOpenVinoModel(decoder);
  ASSERT_EQ(model.info.size(), 1u);
  EXPECT_EQ(model.info[0].name, "runtime_options");
  ASSERT_EQ(model.info[0].children.size(), 2u);
  EXPECT_EQ(model.info[0].children[1].name, "KV_CACHE_PRECISION");
}

}  // namespace
}  // namespace quantd
