#include "workers/formats/gguf_value.h"

namespace quantd {
namespace {

constexpr std::pair<std::string_view, uint32_t> kTensorTypes[] = {
    {"F32", 0},     {"F16", 1},    {"Q4_0", 2},     {"Q4_1", 3},    {"Q5_0", 6},     {"Q5_1", 7},
    {"Q8_0", 8},    {"Q8_1", 9},   {"Q2_K", 10},    {"Q3_K", 11},   {"Q4_K", 12},    {"Q5_K", 13},
    {"Q6_K", 14},   {"Q8_K", 15},  {"IQ2_XXS", 16}, {"IQ2_XS", 17}, {"IQ3_XXS", 18}, {"IQ1_S", 19},
    {"IQ4_NL", 20}, {"IQ3_S", 21}, {"IQ2_S", 22},   {"IQ4_XS", 23}, {"I8", 24},      {"I16", 25},
    {"I32", 26},    {"I64", 27},   {"F64", 28},     {"IQ1_M", 29},  {"BF16", 30},    {"TQ1_0", 34},
    {"TQ2_0", 35},  {"MXFP4", 39}, {"NVFP4", 40},   {"Q1_0", 41},   {"Q2_0", 42}};

}  // namespace

int64_t GgufTypeBytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return 0;
}

const GgufValue* FindGgufValue(const GgufMetadata& metadata, std::string_view key) {
  for (const auto& [name, value] : metadata) {
    if (name == key) return &value;
  }
  return nullptr;
}

uint32_t GgufTensorType(std::string_view codec) {
  for (const auto& [name, number] : kTensorTypes) {
    if (name == codec) return number;
  }
  return kNoGgufTensorType;
}

std::string_view GgufTensorTypeName(uint32_t number) {
  for (const auto& [name, known] : kTensorTypes) {
    if (known == number) return name;
  }
  return "";
}

}  // namespace quantd
