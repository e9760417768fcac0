#include "workers/models/targets/openvino/sequence.h"

#include "workers/models/targets/gguf_metadata.h"
#include "workers/models/targets/rotary_frequencies.h"

namespace quantd {
namespace {

constexpr float kHidden = -65504.0f;  // the lowest half

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
  const IrPort is_long = ir.Compare("Greater", length, ir.Integer(original));
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
  const auto both = [&](IrPort a, IrPort b) { return ir.Compare("LogicalAnd", a, b); };
  const Places places = AddPlaces(inputs, ir);
  IrPort is_seen = ir.Compare("LessEqual", places.all, places.of_new);
  if (decoder.attention_window.has_value()) {
    const IrPort first_hidden =
        ir.Elementwise("Subtract", places.of_new, ir.Integer(*decoder.attention_window));
    is_seen = both(is_seen, ir.Compare("Greater", places.all, first_hidden));
  }
  const IrPort is_token = ir.Unsqueeze(ir.Convert(inputs.mask, IrType::kBoolean), ir.Integers({1, 2}));
  const IrPort is_allowed = both(is_seen, is_token);
  const IrPort seen = ir.Floats({}, {0.0f});
  return ir.Select(is_allowed, seen, ir.Floats({}, {kHidden}));
}

}  // namespace quantd
