// An OpenVINO model (its "intermediate representation", IR version 11) as plain data: layers, what flows
// between them, and constants whose bytes lie in a second file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace quantd {

enum class IrType { kI64, kI32, kF32, kF16, kBoolean, kU8, kI8, kU4, kI4, kNf4, kF4e2m1, kF8e8m0, kString };

// As attributes spell it ("f32", "boolean"), and as ports do ("FP32", "BOOL").
std::string_view ElementTypeName(IrType type);
std::string_view PrecisionName(IrType type);

// Null for other words than ElementTypeName's.
std::optional<IrType> FindElementType(std::string_view name);

// Bytes of a constant; elements of 4 bits lie two in a byte. INVALID_ARGUMENT for a shape without a size
// (negative, too large) and for strings.
absl::StatusOr<int64_t> IrBytes(IrType type, const std::vector<int64_t>& shape);

// An output of a layer that comes earlier in the model.
struct IrPort {
  size_t layer = 0;
  size_t output = 0;
};

struct IrOutput {
  IrType type = IrType::kF32;
  std::string tensor_name = "";  // by which callers find it; most have none
};

struct IrConstant {
  std::vector<int64_t> shape;
  // Unset for a plane of the artifact's tensors, whose bytes are known only while it is written.
  std::optional<std::string> bytes;
  int64_t offset = 0;  // in the file of bytes
};

using IrAttributes = std::vector<std::pair<std::string, std::string>>;

struct IrLayer {
  std::string type;     // "MatMul"
  std::string version;  // the opset that changed the type last: "opset1"
  std::string name = "";
  IrAttributes attributes = {};  // of a constant: none, they follow from `constant`
  std::vector<IrPort> inputs = {};
  std::vector<IrOutput> outputs = {{}};
  std::optional<IrConstant> constant = std::nullopt;  // of a layer of type Const
  // Runtimes keep what this Convert decompresses as it is stored, instead of converting it once for all.
  bool decompresses = false;
};

// A value, or a group of them.
struct IrInfo {
  std::string name;
  std::string value = "";
  std::vector<IrInfo> children = {};
};

struct IrModel {
  std::string name;
  std::vector<IrLayer> layers;
  std::vector<IrInfo> info;  // rt_info
};

}  // namespace quantd
