// tokenizer.json's added tokens: texts that are cut out before the rest is normalized, split and merged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace quantd {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool is_special = false;
  // Looked for in normalized text; `content` is normalized too where they are searched.
  bool is_normalized = false;
  // White space before or after it disappears.
  bool strips_left = false;
  bool strips_right = false;
};

// INVALID_ARGUMENT for ids that are not below `vocabulary` and for tokens without a text; FAILED_PRECONDITION
// for flags that OpenVINO has no operation for.
absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const Json& tokenizer, int64_t vocabulary);

// A regular expression that matches the first of these tokens in a text, the longest where several begin at
// one place. Its group is the token without the space around it. Matches nothing when there are none.
std::string PatternOf(std::vector<AddedToken> tokens);

}  // namespace quantd
