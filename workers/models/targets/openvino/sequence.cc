#include "workers/models/targets/openvino/sequence.h"

#include <limits>

#include "workers/models/targets/gguf_metadata.h"
#include "workers/models/targets/rotary_frequencies.h"

namespace quantd {
namespace {

constexpr float kHidden = -65504.0f;  // the lowest half
constexpr int64_t kLastAxis = 3;

IrPort AddInput(const char* name, IrType type, const char* shape, IrBuilder& ir) {
  return ir.Add({.type = "Parameter",
                 .version = "opset1",
                 .name = name,
                 .attributes = {{"shape", shape}, {"element_type", std::string(ElementTypeName(type))}},
                 .outputs = {{type, name}}});
}

IrPort AddFrequencyList(const HyperParameters& parameters, const std::vector<double>& factors,
                        IrBuilder& ir) {
  const std::vector<float> frequencies = RotaryFrequencies(parameters, factors);
  return ir.Floats({1, static_cast<int64_t>(frequencies.size()), 1}, frequencies);
}

// F32 [1, pairs, 1]
IrPort AddFrequencies(const HyperParameters& parameters, IrPort positions, IrBuilder& ir) {
  if (!HasLongRope(parameters)) return AddFrequencyList(parameters, {}, ir);
  const RopeScaling& scaling = *parameters.rope_scaling;
  const IrPort axes = ir.Integers({0, 1});
  const IrPort last = ir.Add({.type = "ReduceMax",
                              .version = "opset1",
                              .attributes = {{"keep_dims", "false"}},
                              .inputs = {positions, axes},
                              .outputs = {{IrType::kI64}}});
  const IrPort length = ir.Elementwise("Add", last, ir.Integer(1));
  const int64_t original = parameters.original_context.value_or(parameters.context);
  const IrPort is_long = ir.Compare("Greater", "opset1", length, ir.Integer(original));
  const IrPort long_frequencies = AddFrequencyList(parameters, scaling.long_factors, ir);
  return ir.Select(is_long, long_frequencies, AddFrequencyList(parameters, scaling.short_factors, ir));
}

// Places 0 … past and new tokens - 1 as a row, and those of the new tokens as a column.
struct Places {
  IrPort all;
  IrPort of_new;
};

Places AddPlaces(const OpenVinoInputs& inputs, IrBuilder& ir) {
  const auto length = [&](IrPort input) {
    const IrPort shape = ir.ShapeOf(input);
    const IrPort dimension = ir.Integer(1);
    return ir.Gather(shape, dimension, ir.Integer(0));
  };
  const auto range = [&](IrPort begin, IrPort end) {
    return ir.Add({.type = "Range",
                   .version = "opset4",
                   .attributes = {{"output_type", "i64"}},
                   .inputs = {begin, end, ir.Integer(1)},
                   .outputs = {{IrType::kI64}}});
  };
  const IrPort all = length(inputs.mask);
  const IrPort past = ir.Elementwise("Subtract", all, length(inputs.tokens));
  const IrPort row = ir.Unsqueeze(range(ir.Integer(0), all), ir.Integer(0));
  return {row, ir.Unsqueeze(range(past, all), ir.Integer(1))};
}

// What a token sees of the tokens before it through a window. OpenVINO replaces attention by paged attention,
// which knows windows but not masks: it takes the window from the constant that is added here where it finds
// the operations of transformers' mask around it, and forgets it everywhere else. Hence four conjunctions, a
// Broadcast, and a Slice after the Select that change nothing
// (StateManagementPattern, gpt_oss_sliding_window_pattern).
IrPort AddWindow(int64_t window, const Places& places, IrPort is_past, IrPort is_token, IrBuilder& ir) {
  const auto both = [&](IrPort a, IrPort b) { return ir.Compare("BitwiseAnd", "opset13", a, b); };
  const IrPort last_hidden = ir.Elementwise("Add", places.of_new, ir.Integer(-window));
  const IrPort is_near = ir.Compare("Greater", "opset1", places.all, last_hidden);
  const IrPort is_seen = both(both(is_past, both(both(is_past, is_near), is_token)), is_token);
  const IrPort ones = ir.Integers({1, 1, 1, 1});
  return ir.Add({.type = "Broadcast",
                 .version = "opset3",
                 .attributes = {{"mode", "bidirectional"}},
                 .inputs = {is_seen, ones},
                 .outputs = {{IrType::kBoolean}}});
}

}  // namespace

OpenVinoInputs AddInputs(IrBuilder& ir) {
  OpenVinoInputs inputs;
  inputs.tokens = AddInput("input_ids", IrType::kI64, "?,?", ir);
  inputs.mask = AddInput("attention_mask", IrType::kI64, "?,?", ir);
  inputs.positions = AddInput("position_ids", IrType::kI64, "?,?", ir);
  inputs.beams = AddInput("beam_idx", IrType::kI32, "?", ir);
  return inputs;
}

RotaryAngles AddRotaryAngles(const OpenVinoDecoder& decoder, IrPort positions, IrBuilder& ir) {
  const HyperParameters& parameters = decoder.parameters;
  const IrPort frequencies = AddFrequencies(parameters, positions, ir);
  const IrPort row = ir.Convert(ir.Unsqueeze(positions, ir.Integer(1)), IrType::kF32);
  const IrPort by_pair = ir.MatMul(frequencies, row, false);
  const IrPort half = ir.Transpose(by_pair, {0, 2, 1});
  const IrPort angles = ir.Concat({half, half}, -1);
  const auto function_of_angles = [&](const char* function) {
    IrPort values = ir.Unsqueeze(ir.Unary(function, "opset1", angles), ir.Integer(1));
    if (!HasLongRope(parameters)) return values;
    const double magnitude =
        parameters.rope_scaling->attention_factor.value_or(LongRopeAttentionFactor(parameters));
    return ir.Elementwise("Multiply", values, ir.Floats({1, 1, 1, 1}, {static_cast<float>(magnitude)}));
  };
  const IrPort cosines = function_of_angles("Cos");
  return {cosines, function_of_angles("Sin")};
}

IrPort AddAttentionMask(const OpenVinoDecoder& decoder, const OpenVinoInputs& inputs, IrBuilder& ir) {
  const Places places = AddPlaces(inputs, ir);
  const IrPort is_past = ir.Compare("LessEqual", "opset1", places.all, places.of_new);
  const IrPort is_token = ir.Unsqueeze(ir.Convert(inputs.mask, IrType::kBoolean), ir.Integers({1, 2}));
  const auto mask_of = [&](IrPort is_seen) {
    const IrPort seen = ir.Floats({}, {0.0f});
    return ir.Select(is_seen, seen, ir.Floats({}, {kHidden}));
  };
  if (!decoder.attention_window.has_value())
    return mask_of(ir.Compare("LogicalAnd", "opset1", is_past, is_token));
  const IrPort is_seen = AddWindow(*decoder.attention_window, places, is_past, is_token, ir);
  return ir.Slice(mask_of(is_seen), 0, std::numeric_limits<int64_t>::max(), kLastAxis);
}

}  // namespace quantd
