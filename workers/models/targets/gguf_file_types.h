// The file types of llama-quantize, by name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace quantd {

struct GgufFileType {
  std::string_view name;   // "Q4_K_M"
  uint32_t number;         // general.file_type
  std::string_view codec;  // of the tensors that no rule changes (gguf_type_rules.h)
};

std::span<const GgufFileType> AllGgufFileTypes();

// Takes llama.cpp's names and the short ones: int4 is Q4_K_M, int8 Q8_0, fp16 F16, bf16 BF16, fp32 F32. Null
// when unknown.
const GgufFileType* FindGgufFileType(std::string_view scheme);

}  // namespace quantd
