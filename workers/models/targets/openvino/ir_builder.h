// Makes an OpenVINO model layer by layer.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "workers/formats/openvino_ir.h"

namespace quantd {

// Not thread-safe. Layers stand in the model in the order in which they were added.
class IrBuilder {
 public:
  // Names a layer without a name after its type and number. Returns its first output.
  IrPort Add(IrLayer layer);

  // Another output of a layer.
  static IrPort Output(IrPort first, size_t output) { return {first.layer, output}; }
  IrType TypeOf(IrPort port) const { return model_.layers[port.layer].outputs[port.output].type; }

  // Constants that the model carries itself: a tensor, a list, a scalar.
  IrPort Floats(const std::vector<int64_t>& shape, const std::vector<float>& values);
  IrPort Integers(const std::vector<int64_t>& values);
  IrPort Integer(int64_t value);
  IrPort Integer32(int32_t value);

  // A constant that is a plane of the artifact's tensors.
  IrPort Plane(const std::string& name, IrType type, const std::vector<int64_t>& shape);

  IrPort Convert(IrPort input, IrType type) { return AddConvert(input, type, false); }
  // The conversion that ends the subgraph of a compressed weight.
  IrPort Decompress(IrPort input, IrType type) { return AddConvert(input, type, true); }

  // Add, Subtract, Multiply, …: with numpy's broadcasting, of inputs of one type.
  IrPort Elementwise(const char* type, IrPort a, IrPort b, const std::string& name = "");
  // LessEqual, LogicalAnd, …: their result is boolean.
  IrPort Compare(const char* type, const char* version, IrPort a, IrPort b);
  IrPort Select(IrPort condition, IrPort then, IrPort otherwise);
  // Of one input, without attributes: Sqrt, Cos, ….
  IrPort Unary(const char* type, const char* version, IrPort input);

  IrPort MatMul(IrPort a, IrPort b, bool transpose_b);
  IrPort Gather(IrPort data, IrPort indices, IrPort axis);
  IrPort ShapeOf(IrPort input);
  // With `zero_keeps`, a 0 in `shape` stands for the input's dimension there.
  IrPort Reshape(IrPort input, const std::vector<int64_t>& shape, bool zero_keeps = true);
  IrPort Transpose(IrPort input, const std::vector<int64_t>& order);
  IrPort Unsqueeze(IrPort input, IrPort axes);
  IrPort Concat(const std::vector<IrPort>& inputs, int64_t axis);
  // Elements begin ≤ i < end along the axis; INT64_MAX for all that follow.
  IrPort Slice(IrPort input, int64_t begin, int64_t end, int64_t axis);
  // Returns the first of lengths.size() outputs.
  IrPort Split(IrPort input, int64_t axis, const std::vector<int64_t>& lengths);

  // rt_info of the model.
  void AddInfo(IrInfo info) { model_.info.push_back(std::move(info)); }

  IrModel Take(std::string name) {
    model_.name = std::move(name);
    return std::move(model_);
  }

 private:
  IrPort AddConstant(IrType type, const std::vector<int64_t>& shape, const void* values, size_t bytes);
  IrPort AddConvert(IrPort input, IrType type, bool decompresses);

  IrModel model_;
};

}  // namespace quantd
