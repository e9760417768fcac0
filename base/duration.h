// Times of retention and expiry, as people give them: "90s", "15m", "12h", "7d"; "0" is none.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace quantd {

// INVALID_ARGUMENT for another form, and for more than ten thousand years.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

}  // namespace quantd
