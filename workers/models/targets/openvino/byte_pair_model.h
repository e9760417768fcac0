// tokenizer.json's model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workers/models/targets/openvino/added_tokens.h"
#include "workers/models/targets/openvino/tokenizer_steps.h"

namespace quantd {

// The bytes that GPT-2's letters stand for: "Ġt" is a space and a t. FAILED_PRECONDITION when a character of
// `text` stands for none.
absl::StatusOr<std::string> BytesOfLetters(std::string_view text);

// The byte of a token "<0x0A>" of a SentencePiece vocabulary; -1 for other texts.
int ByteOfToken(std::string_view text);

// Texts by id, added ones included. INVALID_ARGUMENT for ids that are not below `vocabulary` and for two
// tokens with one id; FAILED_PRECONDITION for other models than byte-pair encoding.
absl::StatusOr<std::vector<std::string>> ReadVocabulary(const Json& tokenizer,
                                                        const std::vector<AddedToken>& added,
                                                        int64_t vocabulary);

// `texts` are ReadVocabulary's, `added` with contents as they stand in the text where they are looked for.
// `spells_bytes`: tokens are spelled in letters that stand for bytes. INVALID_ARGUMENT for broken merges;
// FAILED_PRECONDITION for what OpenVINO's operation doesn't do.
absl::StatusOr<BytePairModel> ReadBytePairModel(const Json& tokenizer, const std::vector<std::string>& texts,
                                                const std::vector<AddedToken>& added, bool spells_bytes);

}  // namespace quantd
