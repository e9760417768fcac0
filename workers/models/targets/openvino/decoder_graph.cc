#include "workers/models/targets/openvino/decoder_graph.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "workers/models/targets/openvino/sequence.h"
#include "workers/models/targets/rotary_frequencies.h"

namespace quantd {
namespace {

// Dimensions of queries, keys and values: [batch, heads, tokens, head size].
constexpr int64_t kHeadAxis = 1, kTokenAxis = 2, kDimensionAxis = 3;
constexpr int64_t kAllThatFollow = std::numeric_limits<int64_t>::max();

class DecoderGraph {
 public:
  explicit DecoderGraph(const OpenVinoDecoder& decoder)
      : decoder_(decoder), parameters_(decoder.parameters), head_size_(parameters_.head_size()) {}

  IrModel Build() {
    AddPrologue();
    for (int64_t layer = 0; layer < parameters_.layers; ++layer) AddLayer(layer);
    AddEpilogue();
    AddRuntimeOptions();
    return ir_.Take("quantd");
  }

 private:
  struct QueryKeyValue {
    IrPort query, key, value;  // [batch, tokens, heads * head size]
  };
  struct State {
    std::string id;
    IrPort value;  // after this call
  };

  void AddPrologue() {
    inputs_ = AddInputs(ir_);
    embedding_ = AddMatrix(decoder_.matrices.at(kEmbeddingName), 0, ir_);
    const IrPort tokens = ir_.Convert(inputs_.tokens, IrType::kI32);
    stream_ = ir_.Gather(embedding_, tokens, ir_.Integer32(0));
    angles_ = AddRotaryAngles(decoder_, inputs_.positions, ir_);
    mask_ = AddAttentionMask(decoder_, inputs_, ir_);
    scale_ = ir_.Floats({}, {static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_size_)))});
    AddEmptyState();
  }

  // What a state is before the first call: keys or values of no tokens.
  void AddEmptyState() {
    const IrPort shape = ir_.ShapeOf(inputs_.tokens);
    const IrPort first = ir_.Integers({0});
    const IrPort batch = ir_.Gather(shape, first, ir_.Integer(0));
    const IrPort empty_shape =
        ir_.Concat({batch, ir_.Integers({parameters_.key_value_heads, 0, head_size_})}, 0);
    empty_state_ = AddBroadcast(ir_.Floats({}, {0.0f}), empty_shape, "numpy");
  }

  void AddLayer(int64_t layer) {
    const IrPort attention = AddAttention(layer, AddNorm(LayerTensor(layer, "input_layernorm"), stream_));
    stream_ = ir_.Elementwise("Add", stream_, attention);
    const IrPort mlp = AddMlp(layer, AddNorm(LayerTensor(layer, "post_attention_layernorm"), stream_));
    stream_ = ir_.Elementwise("Add", stream_, mlp);
  }

  static std::string LayerTensor(int64_t layer, const char* name) {
    return absl::StrCat("model.layers.", layer, ".", name, ".weight");
  }

  // x / sqrt(mean(x²) + ε) * weight
  IrPort AddNorm(const std::string& tensor, IrPort x) {
    const std::vector<int64_t> one = {1, 1, 1};
    const IrPort squares = ir_.Elementwise("Power", x, ir_.Floats(one, {2.0f}));
    const IrPort mean = ir_.Add({.type = "ReduceMean",
                                 .version = "opset1",
                                 .attributes = {{"keep_dims", "true"}},
                                 .inputs = {squares, ir_.Integers({-1})}});
    const IrPort epsilon = ir_.Floats(one, {static_cast<float>(parameters_.norm_epsilon)});
    const IrPort root = ir_.Unary("Sqrt", "opset1", ir_.Elementwise("Add", mean, epsilon));
    const IrPort inverse = ir_.Elementwise("Divide", ir_.Floats(one, {1.0f}), root);
    const IrPort weight = ir_.Plane(FloatConstantName(tensor), IrType::kF32, {1, 1, parameters_.hidden});
    return ir_.Elementwise("Multiply", weight, ir_.Elementwise("Multiply", x, inverse));
  }

  IrPort Multiply(IrPort x, const std::string& tensor) {
    constexpr int kPort = 1;
    return ir_.MatMul(x, AddMatrix(decoder_.matrices.at(tensor), kPort, ir_), true);
  }

  IrPort AddAttention(int64_t layer, IrPort x) {
    const QueryKeyValue projected = AddProjections(layer, x);
    const IrPort query = Rotate(SplitHeads(projected.query, parameters_.heads));
    const IrPort new_keys = Rotate(SplitHeads(projected.key, parameters_.key_value_heads));
    const IrPort new_values = SplitHeads(projected.value, parameters_.key_value_heads);
    const IrPort keys = RepeatHeads(AddState(layer, "key", new_keys));
    const IrPort values = RepeatHeads(AddState(layer, "value", new_values));
    const IrPort attention = ir_.Add({.type = "ScaledDotProductAttention",
                                      .version = "opset13",
                                      .attributes = {{"causal", "false"}},
                                      .inputs = {query, keys, values, mask_, scale_}});
    const IrPort joined = ir_.Reshape(ir_.Transpose(attention, {0, kTokenAxis, kHeadAxis, kDimensionAxis}),
                                      {0, 0, parameters_.heads * head_size_});
    return Multiply(joined, LayerTensor(layer, "self_attn.o_proj"));
  }

  QueryKeyValue AddProjections(int64_t layer, IrPort x) {
    if (!decoder_.has_fused_projections) {
      const IrPort query = Multiply(x, LayerTensor(layer, "self_attn.q_proj"));
      const IrPort key = Multiply(x, LayerTensor(layer, "self_attn.k_proj"));
      return {query, key, Multiply(x, LayerTensor(layer, "self_attn.v_proj"))};
    }
    const int64_t queries = parameters_.heads * head_size_, keys = parameters_.key_value_heads * head_size_;
    const IrPort first =
        ir_.Split(Multiply(x, LayerTensor(layer, "self_attn.qkv_proj")), 2, {queries, keys, keys});
    return {first, IrBuilder::Output(first, 1), IrBuilder::Output(first, 2)};
  }

  IrPort SplitHeads(IrPort x, int64_t heads) {
    return ir_.Transpose(ir_.Reshape(x, {0, 0, heads, head_size_}), {0, 2, 1, 3});
  }

  // Rotates the first dimensions of each head; the others, if any, stay.
  IrPort Rotate(IrPort heads) {
    const int64_t rotated = RotatedDimensions(parameters_);
    if (rotated == head_size_) return RotateAll(heads, rotated);
    const IrPort first = ir_.Split(heads, kDimensionAxis, {rotated, head_size_ - rotated});
    return ir_.Concat({RotateAll(first, rotated), IrBuilder::Output(first, 1)}, -1);
  }

  // x * cos + (-second half, first half) * sin
  IrPort RotateAll(IrPort x, int64_t dimensions) {
    const IrPort second = ir_.Slice(x, dimensions / 2, kAllThatFollow, kDimensionAxis);
    const IrPort first = ir_.Slice(x, 0, dimensions / 2, kDimensionAxis);
    const IrPort negated = ir_.Elementwise("Multiply", second, ir_.Floats({}, {-1.0f}));
    const IrPort turned = ir_.Concat({negated, first}, -1);
    const IrPort by_cosines = ir_.Elementwise("Multiply", x, angles_.cosines);
    return ir_.Elementwise("Add", by_cosines, ir_.Elementwise("Multiply", turned, angles_.sines));
  }

  // Keys or values of all tokens: what was kept of this sequence's beam, then the new ones.
  IrPort AddState(int64_t layer, const char* which, IrPort added) {
    const std::string past = absl::StrCat("past_key_values.", layer, ".", which);
    const std::string id = absl::StrCat(past, "present.", layer, ".", which);
    const std::string shape = absl::StrCat("?,", parameters_.key_value_heads, ",?,", head_size_);
    const IrPort kept =
        ir_.Add({.type = "ReadValue",
                 .version = "opset6",
                 .attributes = {{"variable_id", id}, {"variable_type", "f32"}, {"variable_shape", shape}},
                 .inputs = {empty_state_},
                 .outputs = {{IrType::kF32, past}}});
    const IrPort of_beam = ir_.Gather(kept, inputs_.beams, ir_.Integer(0));
    const IrPort all = ir_.Concat({of_beam, added}, -2);
    states_.push_back({id, all});
    return all;
  }

  // Each head of keys or values as often as queries share it.
  IrPort RepeatHeads(IrPort x) {
    const int64_t times = parameters_.heads / parameters_.key_value_heads;
    if (times == 1) return x;
    const IrPort apart = ir_.Unsqueeze(x, ir_.Integer(kTokenAxis));
    const IrPort repeated = AddBroadcast(apart, ir_.Integers({1, 1, times, 1, 1}), "bidirectional");
    return ir_.Reshape(repeated, {0, parameters_.heads, -1, head_size_});
  }

  IrPort AddBroadcast(IrPort x, IrPort shape, const char* mode) {
    return ir_.Add(
        {.type = "Broadcast", .version = "opset3", .attributes = {{"mode", mode}}, .inputs = {x, shape}});
  }

  IrPort AddMlp(int64_t layer, IrPort x) {
    IrPort gate, up;
    if (decoder_.has_fused_projections) {
      gate = ir_.Split(Multiply(x, LayerTensor(layer, "mlp.gate_up_proj")), 2,
                       {parameters_.feed_forward, parameters_.feed_forward});
      up = IrBuilder::Output(gate, 1);
    } else {
      gate = Multiply(x, LayerTensor(layer, "mlp.gate_proj"));
      up = Multiply(x, LayerTensor(layer, "mlp.up_proj"));
    }
    const IrPort activated = ir_.Elementwise("Multiply", ir_.Unary("Swish", "opset4", gate), up);
    return Multiply(activated, LayerTensor(layer, "mlp.down_proj"));
  }

  void AddEpilogue() {
    const IrPort normalized = AddNorm("model.norm.weight", stream_);
    const IrPort weight =
        decoder_.output_is_embedding ? embedding_ : AddMatrix(decoder_.matrices.at(kOutputName), 1, ir_);
    const IrPort logits = ir_.Add({.type = "MatMul",
                                   .version = "opset1",
                                   .name = "logits",
                                   .attributes = {{"transpose_a", "false"}, {"transpose_b", "true"}},
                                   .inputs = {normalized, weight},
                                   .outputs = {{IrType::kF32, "logits"}}});
    ir_.Add({.type = "Result", .version = "opset1", .inputs = {logits}, .outputs = {}});
    for (const State& state : states_) {
      ir_.Add({.type = "Assign",
               .version = "opset6",
               .attributes = {{"variable_id", state.id}},
               .inputs = {state.value}});
    }
  }

  void AddRuntimeOptions() {
    // Of the GPU plugin, where it computes in halves.
    IrInfo options{.name = "runtime_options", .children = {{"ACTIVATIONS_SCALE_FACTOR", "8.0"}}};
    if (!decoder_.cache_precision.empty())
      options.children.push_back({"KV_CACHE_PRECISION", decoder_.cache_precision});
    ir_.AddInfo(std::move(options));
  }

  const OpenVinoDecoder& decoder_;
  const HyperParameters& parameters_;
  const int64_t head_size_;
  IrBuilder ir_;
  OpenVinoInputs inputs_;
  RotaryAngles angles_;
  IrPort embedding_;    // F32 [vocabulary, hidden]
  IrPort empty_state_;  // F32 [batch, key and value heads, 0, head size]
  IrPort mask_;
  IrPort scale_;   // of attention
  IrPort stream_;  // what the layers add to, F32 [batch, new tokens, hidden]
  std::vector<State> states_;
};

}  // namespace

IrModel BuildOpenVinoModel(const OpenVinoDecoder& decoder) { return DecoderGraph(decoder).Build(); }

}  // namespace quantd
