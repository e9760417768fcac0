// tokenizer.json's normalizer and pre-tokenizer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workers/models/targets/openvino/tokenizer_steps.h"

namespace quantd {

// FAILED_PRECONDITION for steps that OpenVINO has no operation for.
absl::StatusOr<std::vector<TextStep>> ReadNormalizer(const Json& normalizer);

// What the normalizer makes of a text. FAILED_PRECONDITION where that isn't known here.
absl::StatusOr<std::string> Normalize(const Json& normalizer, std::string text);

struct PreTokenizer {
  std::vector<TextStep> steps;
  // Whether the model's tokens are spelled in the letters that stand for bytes.
  bool spells_bytes = false;
  // Put before the first piece of a text, unless it begins with this or a space, or is an added token. Empty
  // for none.
  std::string prefix_of_text;
};

// FAILED_PRECONDITION for steps that OpenVINO has no operation for.
absl::StatusOr<PreTokenizer> ReadPreTokenizer(const Json& pre_tokenizer);

// FAILED_PRECONDITION where `text` is so much longer than the `replaced` one that the operation would do
// nothing.
absl::Status CheckGrowth(std::string_view replaced, std::string_view text);

// The replacement of every `pattern` by `text`, taken literally. FAILED_PRECONDITION for one that the
// operation would misread.
absl::StatusOr<Replacement> LiteralReplacement(std::string pattern, const std::string& text);

// The pattern of a Split or a Replace: {"String": …} or {"Regex": …}.
absl::StatusOr<std::string> ReadPattern(const Json& pattern);

}  // namespace quantd
