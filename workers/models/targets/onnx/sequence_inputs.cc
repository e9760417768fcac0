#include "workers/models/targets/onnx/sequence_inputs.h"

#include "workers/models/targets/onnx/rotary_caches.h"

namespace quantd {
namespace {

using onnx::TensorProto;

class SequenceGraph {
 public:
  SequenceGraph(const OnnxDecoder& decoder, OnnxType type, GraphBuilder& graph)
      : decoder_(decoder), type_(type), graph_(graph) {}

  SequenceInputs Add() {
    for (const RotaryCache& cache : RotaryCaches(decoder_))
      graph_.AddInitializer(cache.name, type_, {cache.rows, cache.columns});
    SequenceInputs inputs;
    const bool rotates_in_attention = decoder_.recipe.rotates_in_attention();
    if (!rotates_in_attention)
      inputs.positions = decoder_.has_two_rotary_ranges() ? AddShiftedPositions() : "position_ids";
    if (rotates_in_attention && decoder_.has_two_rotary_ranges()) AddChoiceOfCaches();
    inputs.last_index = AddLastIndex();
    inputs.total_length = AddInt32("Gather/Cast", TotalLength(), {});
    return inputs;
  }

 private:
  // Adds a node in a group of nodes, with one output.
  std::string Add(const std::string& group, const std::string& name, const char* op,
                  const std::vector<std::string>& inputs, OnnxType type,
                  const std::vector<OnnxDimension>& shape,
                  const std::vector<std::pair<std::string, OnnxAttribute>>& attributes = {}) {
    const std::string node = group + name;
    return graph_.Add({op, node, inputs, {{node + "/output_0", type, shape}}, attributes});
  }

  // cos_cache and sin_cache are the large caches once the sequence is longer than the small ones.
  void AddChoiceOfCaches() {
    const std::string group = "/model/rope_caches_subgraph/";
    const int64_t columns = decoder_.rotary_size() / 2;
    const std::string limit = graph_.Scalar(decoder_.original_context());
    const std::string is_long =
        Add(group, "Greater", "Greater", {TotalLength(), limit}, TensorProto::BOOL, {});
    graph_.AddIf(
        group + "If", is_long, CachePair("", {"max_sequence_length", "head_dim / 2"}),
        {"large_rope_caches_graph", "/large/", CachePair("_large", {decoder_.parameters.context, columns})},
        {"small_rope_caches_graph", "/small/", CachePair("_small", {decoder_.original_context(), columns})});
  }

  std::vector<OnnxValue> CachePair(const std::string& suffix, const std::vector<OnnxDimension>& shape) const {
    return {{kCosineCache + suffix, type_, shape}, {kSineCache + suffix, type_, shape}};
  }

  // Without If: the large cache's rows follow the small one's, and positions of long sequences point there.
  std::string AddShiftedPositions() {
    const std::string group = "/model/pos_ids_reformat/";
    const std::string last = Add(group, "ReduceMax", "ReduceMax", {"position_ids"}, TensorProto::INT64, {},
                                 {{"keepdims", int64_t{0}}});
    const std::string limit = graph_.Scalar(decoder_.original_context());
    const std::string is_long =
        Add(group, "GreaterOrEqual", "GreaterOrEqual", {last, limit}, TensorProto::BOOL, {});
    const std::string factor =
        Add(group, "Cast", "Cast", {is_long}, TensorProto::INT64, {}, {{"to", int64_t{TensorProto::INT64}}});
    const std::string shift = Add(group, "Mul", "Mul", {factor, limit}, TensorProto::INT64, {});
    return Add(group, "Add_1", "Add", {shift, "position_ids"}, TensorProto::INT64,
               {"batch_size", "sequence_length"});
  }

  std::string AddLastIndex() {
    const std::string one = graph_.List({1});
    const std::string sum = Add(kMask, "ReduceSum", "ReduceSum", {"attention_mask", one}, TensorProto::INT64,
                                {"batch_size"}, {{"keepdims", int64_t{0}}});
    const std::string last = Add(kMask, "Sub", "Sub", {sum, one}, TensorProto::INT64, {"batch_size"});
    return AddInt32("Sub/Cast", last, {"batch_size"});
  }

  // Columns of the mask. Its nodes are added where they are asked for first.
  std::string TotalLength() {
    if (!total_length_.empty()) return total_length_;
    const std::string shape = Add(kMask, "Shape", "Shape", {"attention_mask"}, TensorProto::INT64, {2});
    const std::string one = graph_.Scalar(1);
    total_length_ =
        Add(kMask, "Gather", "Gather", {shape, one}, TensorProto::INT64, {}, {{"axis", int64_t{0}}});
    return total_length_;
  }

  std::string AddInt32(const std::string& name, const std::string& input,
                       const std::vector<OnnxDimension>& shape) {
    return Add(kMask, name, "Cast", {input}, TensorProto::INT32, shape,
               {{"to", int64_t{TensorProto::INT32}}});
  }

  static constexpr char kMask[] = "/model/attn_mask_reformat/attn_mask_subgraph/";

  const OnnxDecoder& decoder_;
  const OnnxType type_;
  GraphBuilder& graph_;
  std::string total_length_;
};

}  // namespace

SequenceInputs AddSequenceInputs(const OnnxDecoder& decoder, OnnxType type, GraphBuilder& graph) {
  return SequenceGraph(decoder, type, graph).Add();
}

}  // namespace quantd
