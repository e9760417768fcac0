// Which type each tensor of a GGUF file gets: the choices of llama-quantize (llama.cpp, src/llama-quant.cpp).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/importance_matrix.h"
#include "workers/models/model.h"
#include "workers/quant/codec.h"

namespace quantd {

// A file type of llama-quantize.
struct GgufFileType {
  std::string_view name;   // "Q4_K_M"
  uint32_t number;         // general.file_type
  std::string_view codec;  // of the tensors that no rule changes
};

std::span<const GgufFileType> AllGgufFileTypes();

// Takes llama.cpp's names and the short ones: int4 is Q4_K_M, int8 Q8_0, fp16 F16, bf16 BF16, fp32 F32. Null
// when unknown.
const GgufFileType* FindGgufFileType(std::string_view scheme);

struct GgufTypeOptions {
  std::vector<std::pair<std::string, const quant::Codec*>>
      tensor_types;  // regular expression (RE2's syntax: matched in linear time) to type; the first match
                     // wins
  const quant::Codec* output = nullptr;
  const quant::Codec* token_embedding = nullptr;
  const ImportanceMatrix* importance = nullptr;  // null: none
  bool pure = false;
  bool leave_output = false;
};

// The type of each tensor of the model, in the model's order, and a sentence for each that fell back to
// another because its columns are no whole number of blocks. INVALID_ARGUMENT (field "options[tensor_type]")
// for an expression that is broken or matches no tensor; FAILED_PRECONDITION (field "options[imatrix]") names
// a tensor whose type needs an importance that is missing or has another number of columns.
struct GgufTypes {
  std::vector<const quant::Codec*> codecs;
  std::vector<std::string> notes;
};
absl::StatusOr<GgufTypes> ChooseGgufTypes(const Model& model, const GgufFileType& file_type,
                                          const GgufTypeOptions& options);

}  // namespace quantd
