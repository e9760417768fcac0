// JSON of strangers: parsed without exceptions, with a limit on nesting.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quantd {

// Keeps the order of keys as they stand in the text.
using Json = nlohmann::ordered_json;

inline constexpr int kMaxJsonDepth = 64;

// INVALID_ARGUMENT when the text is no JSON (RFC 8259, UTF-8) or nests deeper than kMaxJsonDepth; the message
// begins with `what`, e.g. "config.json".
absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what);

}  // namespace quantd
