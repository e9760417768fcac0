// Which type each tensor of a GGUF file gets: what llama-quantize chooses (gguf_type_rules.h) or the options
// say.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/importance_matrix.h"
#include "workers/models/model.h"
#include "workers/models/targets/gguf_file_types.h"
#include "workers/quant/codec.h"

namespace quantd {

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
// for an expression that is broken or matches no tensor, and (field "options[imatrix]") for a tensor whose
// type needs an importance that is missing or has another number of columns.
struct GgufTypes {
  std::vector<const quant::Codec*> codecs;
  std::vector<std::string> notes;
};
absl::StatusOr<GgufTypes> ChooseGgufTypes(const Model& model, const GgufFileType& file_type,
                                          const GgufTypeOptions& options);

}  // namespace quantd
