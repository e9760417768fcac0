#include "workers/models/targets/openvino/ir_builder.h"

#include "absl/strings/str_cat.h"

namespace quantd {
namespace {

const IrAttributes kNumpyBroadcast = {{"auto_broadcast", "numpy"}};

}  // namespace

IrPort IrBuilder::Add(IrLayer layer) {
  const size_t id = model_.layers.size();
  if (layer.name.empty()) layer.name = absl::StrCat(layer.type, "_", id);
  model_.layers.push_back(std::move(layer));
  return {id, 0};
}

IrPort IrBuilder::AddConstant(IrType type, const std::vector<int64_t>& shape, const void* values,
                              size_t bytes) {
  return Add({.type = "Const",
              .version = "opset1",
              .outputs = {{type}},
              .constant = IrConstant{shape, std::string(static_cast<const char*>(values), bytes)}});
}

IrPort IrBuilder::Floats(const std::vector<int64_t>& shape, const std::vector<float>& values) {
  return AddConstant(IrType::kF32, shape, values.data(), values.size() * sizeof(float));
}

IrPort IrBuilder::Integers(const std::vector<int64_t>& values) {
  return AddConstant(IrType::kI64, {static_cast<int64_t>(values.size())}, values.data(),
                     values.size() * sizeof(int64_t));
}

IrPort IrBuilder::Integer(int64_t value) { return AddConstant(IrType::kI64, {}, &value, sizeof(value)); }

IrPort IrBuilder::Integer32(int32_t value) { return AddConstant(IrType::kI32, {}, &value, sizeof(value)); }

IrPort IrBuilder::Plane(const std::string& name, IrType type, const std::vector<int64_t>& shape) {
  return Add({.type = "Const",
              .version = "opset1",
              .name = name,
              .outputs = {{type}},
              .constant = IrConstant{shape, std::nullopt}});
}

IrPort IrBuilder::AddConvert(IrPort input, IrType type, bool decompresses) {
  return Add({.type = "Convert",
              .version = "opset1",
              .attributes = {{"destination_type", std::string(ElementTypeName(type))}},
              .inputs = {input},
              .outputs = {{type}},
              .decompresses = decompresses});
}

IrPort IrBuilder::Elementwise(const char* type, IrPort a, IrPort b, const std::string& name) {
  return Add({.type = type,
              .version = "opset1",
              .name = name,
              .attributes = kNumpyBroadcast,
              .inputs = {a, b},
              .outputs = {{TypeOf(a)}}});
}

IrPort IrBuilder::Compare(const char* type, const char* version, IrPort a, IrPort b) {
  return Add({.type = type,
              .version = version,
              .attributes = kNumpyBroadcast,
              .inputs = {a, b},
              .outputs = {{IrType::kBoolean}}});
}

IrPort IrBuilder::Select(IrPort condition, IrPort then, IrPort otherwise) {
  return Add({.type = "Select",
              .version = "opset1",
              .attributes = kNumpyBroadcast,
              .inputs = {condition, then, otherwise},
              .outputs = {{TypeOf(then)}}});
}

IrPort IrBuilder::Unary(const char* type, const char* version, IrPort input) {
  return Add({.type = type, .version = version, .inputs = {input}, .outputs = {{TypeOf(input)}}});
}

IrPort IrBuilder::MatMul(IrPort a, IrPort b, bool transpose_b) {
  return Add({.type = "MatMul",
              .version = "opset1",
              .attributes = {{"transpose_a", "false"}, {"transpose_b", transpose_b ? "true" : "false"}},
              .inputs = {a, b},
              .outputs = {{TypeOf(a)}}});
}

IrPort IrBuilder::Gather(IrPort data, IrPort indices, IrPort axis) {
  return Add({.type = "Gather",
              .version = "opset8",
              .attributes = {{"batch_dims", "0"}},
              .inputs = {data, indices, axis},
              .outputs = {{TypeOf(data)}}});
}

IrPort IrBuilder::ShapeOf(IrPort input) {
  return Add({.type = "ShapeOf",
              .version = "opset3",
              .attributes = {{"output_type", "i64"}},
              .inputs = {input},
              .outputs = {{IrType::kI64}}});
}

IrPort IrBuilder::Reshape(IrPort input, const std::vector<int64_t>& shape, bool zero_keeps) {
  const IrPort target = Integers(shape);
  return Add({.type = "Reshape",
              .version = "opset1",
              .attributes = {{"special_zero", zero_keeps ? "true" : "false"}},
              .inputs = {input, target},
              .outputs = {{TypeOf(input)}}});
}

IrPort IrBuilder::Transpose(IrPort input, const std::vector<int64_t>& order) {
  const IrPort permutation = Integers(order);
  return Add({.type = "Transpose",
              .version = "opset1",
              .inputs = {input, permutation},
              .outputs = {{TypeOf(input)}}});
}

IrPort IrBuilder::Unsqueeze(IrPort input, IrPort axes) {
  return Add(
      {.type = "Unsqueeze", .version = "opset1", .inputs = {input, axes}, .outputs = {{TypeOf(input)}}});
}

IrPort IrBuilder::Concat(const std::vector<IrPort>& inputs, int64_t axis) {
  return Add({.type = "Concat",
              .version = "opset1",
              .attributes = {{"axis", absl::StrCat(axis)}},
              .inputs = inputs,
              .outputs = {{TypeOf(inputs[0])}}});
}

IrPort IrBuilder::Slice(IrPort input, int64_t begin, int64_t end, int64_t axis) {
  std::vector<IrPort> inputs = {input};
  for (int64_t value : {begin, end, int64_t{1}, axis}) inputs.push_back(Integers({value}));
  return Add({.type = "Slice", .version = "opset8", .inputs = inputs, .outputs = {{TypeOf(input)}}});
}

IrPort IrBuilder::Split(IrPort input, int64_t axis, const std::vector<int64_t>& lengths) {
  const IrPort along = Integer(axis);
  const IrPort sizes = Integers(lengths);
  return Add({.type = "VariadicSplit",
              .version = "opset1",
              .inputs = {input, along, sizes},
              .outputs = std::vector<IrOutput>(lengths.size(), IrOutput{TypeOf(input)})});
}

}  // namespace quantd
