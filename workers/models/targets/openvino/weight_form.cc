#include "workers/models/targets/openvino/weight_form.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

// Where a row has several groups, they are a dimension of their own.
std::vector<int64_t> WeightShape(const WeightMatrix& matrix) {
  const int64_t group = matrix.form.group;
  if (group == quant::kWholeRow) return {matrix.rows, matrix.columns};
  return {matrix.rows, matrix.columns / group, group};
}

std::vector<int64_t> ScaleShape(const WeightMatrix& matrix) {
  const int64_t group = matrix.form.group;
  if (group == quant::kWholeRow) return {matrix.rows, 1};
  return {matrix.rows, matrix.columns / group, 1};
}

}  // namespace

const quant::Codec& CodecOf(const WeightForm& form) {
  if (form.type == IrType::kF32) return *quant::FindCodec("F32");
  if (form.type == IrType::kF16) return *quant::FindCodec("F16");
  if (form.type == IrType::kNf4) return *quant::FindCodec(absl::StrCat("OPENVINO_NF4_G", form.group));
  if (form.type == IrType::kF4e2m1) return *quant::FindCodec("OPENVINO_MXFP4");
  const std::string group = form.group == quant::kWholeRow ? "ROW" : absl::StrCat("G", form.group);
  return *quant::FindCodec(absl::StrCat("OPENVINO_I", form.has_8_bits() ? 8 : 4, "_", group,
                                        form.has_zero_points() ? "_ASYM" : "_SYM"));
}

std::string Describe(const WeightForm& form) {
  const std::string groups =
      form.group == quant::kWholeRow ? "a row" : absl::StrCat("groups of ", form.group);
  if (form.type == IrType::kNf4 || form.type == IrType::kF4e2m1)
    return absl::StrCat(form.type == IrType::kNf4 ? "nf4" : "mxfp4", " in ", groups);
  return absl::StrCat("int", form.has_8_bits() ? 8 : 4, form.has_zero_points() ? "_asym" : "_sym", " in ",
                      groups);
}

std::string FloatConstantName(const std::string& tensor_name) { return absl::StrCat("self.", tensor_name); }

std::vector<std::string> PlaneConstants(const WeightMatrix& matrix) {
  if (matrix.form.type == IrType::kF32) return {FloatConstantName(matrix.name)};
  const std::string weight =
      absl::StrCat("self.", absl::StripSuffix(matrix.name, ".weight"), "._openvino_orig_weight");
  if (matrix.form.is_float()) return {weight};
  std::vector<std::string> names = {weight, weight + "/scale"};
  if (matrix.form.has_zero_points()) names.push_back(weight + "/zero_point");
  return names;
}

IrPort AddMatrix(const WeightMatrix& matrix, int consumer_port, IrBuilder& ir) {
  const WeightForm& form = matrix.form;
  const std::vector<std::string> names = PlaneConstants(matrix);
  IrPort weight = ir.Plane(names[0], form.type, WeightShape(matrix));
  if (form.type == IrType::kF32) return weight;
  if (form.type == IrType::kF16) return ir.Decompress(weight, IrType::kF32);

  weight = ir.Convert(weight, IrType::kF16);
  if (form.has_zero_points()) {
    const IrPort zero_point = ir.Convert(ir.Plane(names[2], form.type, ScaleShape(matrix)), IrType::kF16);
    weight = ir.Elementwise("Subtract", weight, zero_point, names[2] + "/subtract");
  }
  const bool is_mxfp4 = form.type == IrType::kF4e2m1;
  IrPort scale = ir.Plane(names[1], is_mxfp4 ? IrType::kF8e8m0 : IrType::kF16, ScaleShape(matrix));
  if (is_mxfp4) scale = ir.Convert(scale, IrType::kF16);
  weight = ir.Elementwise("Multiply", weight, scale, absl::StrCat(names[0], "/fq_weights_", consumer_port));
  if (form.group != quant::kWholeRow) weight = ir.Reshape(weight, {matrix.rows, matrix.columns}, false);
  return ir.Decompress(weight, IrType::kF32);
}

}  // namespace quantd
