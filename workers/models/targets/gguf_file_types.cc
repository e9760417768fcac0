#include "workers/models/targets/gguf_file_types.h"

#include <utility>

namespace quantd {
namespace {

constexpr GgufFileType kFileTypes[] = {
    {"F32", 0, "F32"},          {"F16", 1, "F16"},        {"BF16", 32, "BF16"},       {"Q4_0", 2, "Q4_0"},
    {"Q4_1", 3, "Q4_1"},        {"Q5_0", 8, "Q5_0"},      {"Q5_1", 9, "Q5_1"},        {"Q8_0", 7, "Q8_0"},
    {"Q2_K_S", 21, "Q2_K"},     {"Q2_K", 10, "Q2_K"},     {"Q3_K_S", 11, "Q3_K"},     {"Q3_K_M", 12, "Q3_K"},
    {"Q3_K_L", 13, "Q3_K"},     {"Q4_K_S", 14, "Q4_K"},   {"Q4_K_M", 15, "Q4_K"},     {"Q5_K_S", 16, "Q5_K"},
    {"Q5_K_M", 17, "Q5_K"},     {"Q6_K", 18, "Q6_K"},     {"IQ1_S", 24, "IQ1_S"},     {"IQ1_M", 31, "IQ1_M"},
    {"IQ2_XXS", 19, "IQ2_XXS"}, {"IQ2_XS", 20, "IQ2_XS"}, {"IQ2_S", 28, "IQ2_XS"},    {"IQ2_M", 29, "IQ2_S"},
    {"IQ3_XXS", 23, "IQ3_XXS"}, {"IQ3_XS", 22, "IQ3_S"},  {"IQ3_S", 26, "IQ3_S"},     {"IQ3_M", 27, "IQ3_S"},
    {"IQ4_NL", 25, "IQ4_NL"},   {"IQ4_XS", 30, "IQ4_XS"}, {"TQ1_0", 36, "TQ1_0"},     {"TQ2_0", 37, "TQ2_0"},
    {"Q1_0", 40, "Q1_0"},       {"Q2_0", 41, "Q2_0"},     {"MXFP4_MOE", 38, "MXFP4"},
};

}  // namespace

std::span<const GgufFileType> AllGgufFileTypes() { return kFileTypes; }

const GgufFileType* FindGgufFileType(std::string_view scheme) {
  constexpr std::pair<std::string_view, std::string_view> kShort[] = {
      {"int4", "Q4_K_M"}, {"int8", "Q8_0"},   {"fp16", "F16"},    {"bf16", "BF16"},
      {"fp32", "F32"},    {"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}};
  for (const auto& [name, meaning] : kShort) {
    if (name == scheme) scheme = meaning;
  }
  for (const GgufFileType& type : kFileTypes) {
    if (type.name == scheme) return &type;
  }
  return nullptr;
}

}  // namespace quantd
