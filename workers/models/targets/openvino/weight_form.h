// How a matrix is stored in an OpenVINO model, and the subgraph that makes floats of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workers/formats/openvino_ir.h"
#include "workers/models/targets/openvino/ir_builder.h"
#include "workers/quant/codec.h"

namespace quantd {

struct WeightForm {
  // Of the stored weights: kF32, kF16, kU8, kI8, kU4, kI4, kNf4, or kF4e2m1, which is MXFP4.
  IrType type = IrType::kF32;
  int64_t group = quant::kWholeRow;  // weights of a row that share a scale; kWholeRow for all of it

  bool is_float() const { return type == IrType::kF32 || type == IrType::kF16; }
  bool has_8_bits() const { return type == IrType::kU8 || type == IrType::kI8; }
  // Levels without a sign have zero points.
  bool has_zero_points() const { return type == IrType::kU8 || type == IrType::kU4; }

  bool operator==(const WeightForm&) const = default;
};

const quant::Codec& CodecOf(const WeightForm& form);

// The codec's plane of zero points, where a form has them. Those of 4 bits are stored two to a byte.
inline constexpr size_t kZeroPointPlane = 2;

// "INT4_ASYM, groups of 64", as NNCF calls it.
std::string Describe(const WeightForm& form);

struct WeightMatrix {
  std::string name;  // Hugging Face's: "model.layers.0.mlp.down_proj.weight"
  int64_t rows = 0;
  int64_t columns = 0;
  WeightForm form;
};

// The constant that a tensor which stays float is: "self.model.norm.weight".
std::string FloatConstantName(const std::string& tensor_name);

// The constants of the planes of its codec, in the codec's order (weight, scale, zero point). They are those
// of NNCF: "self.….down_proj._openvino_orig_weight", "….orig_weight/scale", "…/zero_point".
std::vector<std::string> PlaneConstants(const WeightMatrix& matrix);

// Adds constants and decompression. The output is F32, [rows, columns]. `consumer_port` is the input at which
// its first user takes it: NNCF has it in a name.
IrPort AddMatrix(const WeightMatrix& matrix, int consumer_port, IrBuilder& ir);

}  // namespace quantd
