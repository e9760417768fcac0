// JSON that decides who may do what.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace quantd {

// As ParseJson, but an object with the same key twice is INVALID_ARGUMENT, too, because two readers could
// understand it in two ways.
absl::StatusOr<Json> ParseStrictJson(std::string_view text, std::string_view what);

}  // namespace quantd
