#include "workers/models/targets/onnx/decoder_graph.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "workers/models/targets/onnx/graph_builder.h"
#include "workers/models/targets/onnx/names.h"
#include "workers/models/targets/onnx/sequence_inputs.h"

namespace quantd {
namespace {

using onnx::TensorProto;

OnnxType TypeOf(OnnxFloat type) {
  switch (type) {
    case OnnxFloat::kF32:
      return TensorProto::FLOAT;
    case OnnxFloat::kF16:
      return TensorProto::FLOAT16;
    case OnnxFloat::kBf16:
      break;
  }
  return TensorProto::BFLOAT16;
}

constexpr char kLogits[] = "logits";

std::string Output(const std::string& node) { return node + "/output_0"; }

class DecoderGraph {
 public:
  explicit DecoderGraph(const OnnxDecoder& decoder)
      : decoder_(decoder),
        parameters_(decoder.parameters),
        recipe_(decoder.recipe),
        float_(TypeOf(recipe_.io_type)) {}

  onnx::ModelProto Build() {
    AddInputs();
    AddOutputs();
    sequence_ = AddSequenceInputs(decoder_, float_, graph_);
    AddEmbedding();
    for (int64_t layer = 0; layer < parameters_.layers; ++layer) AddLayer(layer);
    AddTail();
    return graph_.Take();
  }

 private:
  static std::string Layer(int64_t layer, const char* name) {
    return absl::StrCat("/model/layers.", layer, "/", name);
  }

  OnnxValue Activations(const std::string& name, int64_t width) const {
    return {name, float_, {"batch_size", "sequence_length", width}};
  }

  OnnxValue KeysOrValues(const std::string& name, const char* length) const {
    return {name, float_, {"batch_size", parameters_.key_value_heads, length, "kv_cache_dim"}};
  }

  void AddInputs() {
    graph_.AddInput({"input_ids", TensorProto::INT64, {"batch_size", "sequence_length"}});
    graph_.AddInput({"attention_mask", TensorProto::INT64, {"batch_size", "total_sequence_length"}});
    if (!recipe_.rotates_in_attention())
      graph_.AddInput({"position_ids", TensorProto::INT64, {"batch_size", "sequence_length"}});
    for (const char* which : {"key", "value"}) {
      for (int64_t layer = 0; layer < parameters_.layers; ++layer)
        graph_.AddInput(KeysOrValues(Past(layer, which), "past_sequence_length"));
    }
  }

  void AddOutputs() {
    OnnxValue logits = Activations(kLogits, parameters_.vocabulary);
    if (float_ == TensorProto::BFLOAT16) logits.type = TensorProto::FLOAT;
    graph_.AddOutput(logits);
    for (const char* which : {"key", "value"}) {
      for (int64_t layer = 0; layer < parameters_.layers; ++layer)
        graph_.AddOutput(KeysOrValues(Present(layer, which), "total_sequence_length"));
    }
  }

  static std::string Past(int64_t layer, const char* which) {
    return absl::StrCat("past_key_values.", layer, ".", which);
  }
  static std::string Present(int64_t layer, const char* which) {
    return absl::StrCat("present.", layer, ".", which);
  }

  void AddEmbedding() {
    if (!parameters_.tied_embeddings) {
      graph_.AddInitializer(kOnnxEmbeddingWeight, float_, {parameters_.vocabulary, parameters_.hidden});
      residual_ = AddGather(kOnnxEmbeddingWeight);
    } else if (recipe_.blocks.has_value()) {
      residual_ = AddQuantizedGather();
    } else {
      // lm_head is stored transposed.
      const std::string name = "/model/embed_tokens/Transpose";
      residual_ =
          AddGather(graph_.Add({"Transpose",
                                name,
                                MatrixInitializers(MatrixPath(OnnxMatrix::kOutput, -1), {}),
                                {{Output(name), float_, {parameters_.vocabulary, parameters_.hidden}}},
                                {{"perm", std::vector<int64_t>{1, 0}}}}));
    }
  }

  std::string AddGather(const std::string& weight) {
    const std::string name = "/model/embed_tokens/Gather";
    return graph_.Add(
        {"Gather", name, {weight, "input_ids"}, {Activations(Output(name), parameters_.hidden)}});
  }

  // Rows of lm_head's blocks, decoded; a row's last block may be wider than the row.
  std::string AddQuantizedGather() {
    const DecoderMatrix output = MatrixOf(decoder_, OnnxMatrix::kOutput, -1);
    const quant::OnnxNbits& form = *output.form;
    const std::vector<std::string> planes = MatrixInitializers(output.path, form);
    const int64_t stored_width = form.BlocksOf(parameters_.hidden) * form.block;
    const int64_t row_bytes = stored_width * form.bits / 8;
    const std::string name = "/model/embed_tokens/";
    const std::string shape = graph_.List({parameters_.vocabulary, row_bytes});
    const std::string flat =
        graph_.Add({"Reshape",
                    name + "Reshape",
                    {planes[0], shape},
                    {{Output(name + "Reshape"), TensorProto::UINT8, {parameters_.vocabulary, row_bytes}}}});
    OnnxNode gather = {.op = "GatherBlockQuantized",
                       .name = name + "GatherBlockQuantized",
                       .inputs = {flat, "input_ids"},
                       .outputs = {Activations(Output(name + "GatherBlockQuantized"), stored_width)},
                       .attributes = {{"bits", int64_t{form.bits}},
                                      {"block_size", int64_t{form.block}},
                                      {"gather_axis", int64_t{0}},
                                      {"quantize_axis", int64_t{1}}},
                       .domain = kMicrosoftDomain};
    gather.inputs.insert(gather.inputs.end(), planes.begin() + 1, planes.end());
    std::string rows = graph_.Add(gather);
    if (stored_width == parameters_.hidden) return rows;
    const std::string from = graph_.List({0}), to = graph_.List({parameters_.hidden}),
                      axis = graph_.List({-1});
    return graph_.Add({"Slice",
                       name + "Slice",
                       {rows, from, to, axis},
                       {Activations(Output(name + "Slice"), parameters_.hidden)}});
  }

  void AddLayer(int64_t layer) {
    const std::string attention_input =
        layer == 0 ? AddFirstNorm() : AddSkipNorm(layer, "input_layernorm", InputNormWeight(layer));
    branch_ = AddAttention(layer, attention_input);
    branch_ = AddMlp(layer, AddSkipNorm(layer, "post_attention_layernorm", PostAttentionNormWeight(layer)));
  }

  std::string AddFirstNorm() {
    const std::string weight = graph_.AddInitializer(InputNormWeight(0), float_, {parameters_.hidden});
    const std::string name = Layer(0, "input_layernorm");
    return graph_.Add({"SimplifiedLayerNormalization",
                       name + "/LayerNorm",
                       {residual_, weight},
                       {Activations(Output(name), parameters_.hidden)},
                       {{"epsilon", Epsilon()}, {"axis", int64_t{-1}}, {"stash_type", int64_t{1}}}});
  }

  // Adds the last branch to the residual, and normalizes the sum. The last norm of the model needs no sum.
  std::string AddSkipNorm(int64_t layer, const char* which, const std::string& weight_name) {
    const std::string weight = graph_.AddInitializer(weight_name, float_, {parameters_.hidden});
    const std::string name = Layer(layer, which);
    OnnxNode norm = {.op = "SkipSimplifiedLayerNormalization",
                     .name = name + "/SkipLayerNorm",
                     .inputs = {residual_, branch_, weight},
                     .outputs = {Activations(Output(name), parameters_.hidden)},
                     .attributes = {{"epsilon", Epsilon()}},
                     .domain = kMicrosoftDomain};
    if (layer < parameters_.layers) {
      residual_ = name + "/output_3";
      norm.outputs.insert(norm.outputs.end(), {{}, {}, Activations(residual_, parameters_.hidden)});
    }
    return graph_.Add(norm);
  }

  float Epsilon() const { return static_cast<float>(parameters_.norm_epsilon); }

  std::string AddAttention(int64_t layer, const std::string& input) {
    const std::string name = Layer(layer, "attn/GroupQueryAttention");
    const bool rotates = recipe_.rotates_in_attention();
    std::vector<std::string> inputs = AddQueryKeyValue(layer, input);
    inputs.insert(inputs.end(),
                  {Past(layer, "key"), Past(layer, "value"), sequence_.last_index, sequence_.total_length,
                   rotates ? kCosineCache : "", rotates ? kSineCache : "", "", "", ""});
    const std::string output = graph_.Add(
        {.op = "GroupQueryAttention",
         .name = name,
         .inputs = inputs,
         .outputs = {Activations(Output(name), parameters_.heads * parameters_.head_size()),
                     {Present(layer, "key")},
                     {Present(layer, "value")}},
         .attributes = {{"num_heads", parameters_.heads},
                        {"kv_num_heads", parameters_.key_value_heads},
                        {"scale",
                         static_cast<float>(1.0 / std::sqrt(static_cast<double>(parameters_.head_size())))},
                        {"local_window_size", decoder_.attention_window.value_or(-1)},
                        {"softcap", 0.0f},
                        {"do_rotary", int64_t{rotates}},
                        {"rotary_interleaved", int64_t{0}}},
         .domain = kMicrosoftDomain});
    return Multiply(output, OnnxMatrix::kAttentionOutput, layer);
  }

  // Attention's first three inputs: all in the first, or each on its own and rotated.
  std::vector<std::string> AddQueryKeyValue(int64_t layer, const std::string& input) {
    if (recipe_.joins_query_key_value()) return {Multiply(input, OnnxMatrix::kQueryKeyValue, layer), "", ""};
    const std::string query = Multiply(input, OnnxMatrix::kQuery, layer);
    const std::string key = Multiply(input, OnnxMatrix::kKey, layer);
    const std::string value = Multiply(input, OnnxMatrix::kValue, layer);
    return {AddRotation(Layer(layer, "attn/q_rotary/RotaryEmbedding"), query, parameters_.heads),
            AddRotation(Layer(layer, "attn/k_rotary/RotaryEmbedding"), key, parameters_.key_value_heads),
            value};
  }

  std::string AddRotation(const std::string& name, const std::string& input, int64_t heads) {
    const bool is_partial = decoder_.rotary_size() != parameters_.head_size();
    return graph_.Add({.op = "RotaryEmbedding",
                       .name = name,
                       .inputs = {input, sequence_.positions, kCosineCache, kSineCache},
                       .outputs = {Activations(Output(name), heads * parameters_.head_size())},
                       .attributes = {{"interleaved", int64_t{0}},
                                      {"num_heads", is_partial ? heads : 0},
                                      {"rotary_embedding_dim", is_partial ? decoder_.rotary_size() : 0}},
                       .domain = kMicrosoftDomain});
  }

  std::string AddMlp(int64_t layer, const std::string& input) {
    const std::string gate = Multiply(input, OnnxMatrix::kGate, layer);
    const std::string up = Multiply(input, OnnxMatrix::kUp, layer);
    const std::string squashed = AddElementwise(Layer(layer, "mlp/act_fn/Sigmoid"), "Sigmoid", {gate});
    const std::string activated = AddElementwise(Layer(layer, "mlp/act_fn/Mul"), "Mul", {gate, squashed});
    const std::string product = AddElementwise(Layer(layer, "mlp/Mul"), "Mul", {activated, up});
    return Multiply(product, OnnxMatrix::kDown, layer);
  }

  std::string AddElementwise(const std::string& name, const char* op,
                             const std::vector<std::string>& inputs) {
    return graph_.Add({op, name, inputs, {Activations(Output(name), parameters_.feed_forward)}});
  }

  void AddTail() {
    const int64_t layers = parameters_.layers;
    const std::string normalized = AddSkipNorm(layers, "final_norm_layernorm", FinalNormWeight(layers));
    if (float_ != TensorProto::BFLOAT16) {
      Multiply(normalized, OnnxMatrix::kOutput, -1, kLogits);
      return;
    }
    const std::string logits = Multiply(normalized, OnnxMatrix::kOutput, -1);
    graph_.Add({"Cast", "/lm_head/Cast", {logits}, {{kLogits}}, {{"to", int64_t{TensorProto::FLOAT}}}});
  }

  // Multiplies by a matrix and adds its initializers. The output is `graph_output`, or named after the node.
  std::string Multiply(const std::string& input, OnnxMatrix which, int64_t layer,
                       const std::string& graph_output = "") {
    const DecoderMatrix matrix = MatrixOf(decoder_, which, layer);
    const std::string name = MatrixNode(which, layer);
    OnnxNode node = {.op = "MatMul",
                     .name = name,
                     .inputs = {input},
                     .outputs = {graph_output.empty() ? Activations(Output(name), matrix.outputs)
                                                      : OnnxValue{graph_output}}};
    const std::vector<std::string> initializers = MatrixInitializers(matrix.path, matrix.form);
    node.inputs.insert(node.inputs.end(), initializers.begin(), initializers.end());
    if (matrix.form.has_value()) {
      AddPlanes(matrix, initializers);
      MakeBlocked(matrix, node);
    } else {
      graph_.AddInitializer(initializers[0], float_, {matrix.inputs, matrix.outputs});
    }
    return graph_.Add(node);
  }

  void AddPlanes(const DecoderMatrix& matrix, const std::vector<std::string>& names) {
    const quant::OnnxNbits& form = *matrix.form;
    const int64_t rows = matrix.outputs, blocks = form.BlocksOf(matrix.inputs);
    graph_.AddInitializer(names[0], TensorProto::UINT8, {rows, blocks, form.block * form.bits / 8});
    graph_.AddInitializer(names[1], float_, {rows, blocks});
    if (names.size() > 2)
      graph_.AddInitializer(names[2], TensorProto::UINT8, {rows, form.ZeroPointBytes(matrix.inputs)});
  }

  void MakeBlocked(const DecoderMatrix& matrix, OnnxNode& node) const {
    node.op = "MatMulNBits";
    node.domain = kMicrosoftDomain;
    absl::StrAppend(&node.name, "_Q", matrix.form->bits);
    node.attributes = {{"K", matrix.inputs}, {"N", matrix.outputs}};
    if (recipe_.accuracy_level != 0)
      node.attributes.emplace_back("accuracy_level", int64_t{recipe_.accuracy_level});
    node.attributes.emplace_back("bits", int64_t{matrix.form->bits});
    node.attributes.emplace_back("block_size", int64_t{matrix.form->block});
  }

  const OnnxDecoder& decoder_;
  const HyperParameters& parameters_;
  const OnnxRecipe& recipe_;
  const OnnxType float_;
  GraphBuilder graph_;
  SequenceInputs sequence_;
  std::string residual_;  // the stream that the layers add to
  std::string branch_;    // what the last block computed and the next norm adds
};

}  // namespace

onnx::ModelProto BuildDecoderGraph(const OnnxDecoder& decoder) { return DecoderGraph(decoder).Build(); }

}  // namespace quantd
