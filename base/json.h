// JSON of strangers: parsed without exceptions, with a limit on nesting.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quantd {

// Objects are sorted by key: a vocabulary of 200 000 tokens parses in linear time, which ordered_json's does
// not.
using Json = nlohmann::json;

inline constexpr int kMaxJsonDepth = 64;

// INVALID_ARGUMENT when the text is no JSON (RFC 8259, UTF-8) or nests deeper than kMaxJsonDepth; the message
// begins with `what`, e.g. "config.json".
absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what);

// The text of `json`, indented by `indent` spaces, on one line when it is negative. INVALID_ARGUMENT when a
// string of it is no UTF-8; the message begins with `what`.
absl::StatusOr<std::string> WriteJson(const Json& json, int indent, std::string_view what);

}  // namespace quantd
