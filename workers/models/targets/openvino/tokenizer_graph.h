// OpenVINO models that tokenize a text and make text of tokens, of the operations in openvino_tokenizers
// 2026.4, which openvino_genai brings along.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "workers/formats/openvino_ir.h"
#include "workers/models/targets/openvino/tokenizer_steps.h"

namespace quantd {

// Strings [batch] → "input_ids" and "attention_mask", I64 [batch, longest], shorter ones padded on the left.
// FAILED_PRECONDITION when the vocabulary's texts have more bytes than the operations can count.
absl::StatusOr<IrModel> MakeTokenizerGraph(const TokenizerSteps& steps, int32_t padding_id);

// I64 [batch, tokens] → "string_output", strings [batch]. Bytes that are no UTF-8 become U+FFFD. Errors as
// above.
absl::StatusOr<IrModel> MakeDetokenizerGraph(const TokenDecoder& decoder);

}  // namespace quantd
