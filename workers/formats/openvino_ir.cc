#include "workers/formats/openvino_ir.h"

#include "absl/strings/str_cat.h"
#include "base/checked_math.h"
#include "base/status.h"

namespace quantd {
namespace {

struct TypeWords {
  IrType type;
  std::string_view element_type;
  std::string_view precision;
  int bits;  // 0 for strings
};

constexpr TypeWords kTypes[] = {
    {IrType::kI64, "i64", "I64", 64},
    {IrType::kI32, "i32", "I32", 32},
    {IrType::kF32, "f32", "FP32", 32},
    {IrType::kF16, "f16", "FP16", 16},
    {IrType::kBoolean, "boolean", "BOOL", 8},
    {IrType::kU8, "u8", "U8", 8},
    {IrType::kI8, "i8", "I8", 8},
    {IrType::kU4, "u4", "U4", 4},
    {IrType::kI4, "i4", "I4", 4},
    {IrType::kNf4, "nf4", "NF4", 4},
    {IrType::kF4e2m1, "f4e2m1", "F4E2M1", 4},
    {IrType::kF8e8m0, "f8e8m0", "F8E8M0", 8},
    {IrType::kString, "string", "STRING", 0},
};

const TypeWords& WordsOf(IrType type) { return kTypes[static_cast<size_t>(type)]; }

}  // namespace

std::string_view ElementTypeName(IrType type) { return WordsOf(type).element_type; }

std::string_view PrecisionName(IrType type) { return WordsOf(type).precision; }

std::optional<IrType> FindElementType(std::string_view name) {
  for (const TypeWords& words : kTypes) {
    if (words.element_type == name) return words.type;
  }
  return std::nullopt;
}

absl::StatusOr<int64_t> IrBytes(IrType type, const std::vector<int64_t>& shape) {
  const int bits = WordsOf(type).bits;
  if (bits == 0) return absl::InvalidArgumentError("strings have no size");
  int64_t all_bits = bits;
  for (int64_t dimension : shape) {
    if (dimension < 0) return absl::InvalidArgumentError(absl::StrCat("a dimension of ", dimension));
    ASSIGN_OR_RETURN(all_bits, CheckedMul(all_bits, dimension));
  }
  return all_bits / 8 + (all_bits % 8 != 0 ? 1 : 0);
}

}  // namespace quantd
