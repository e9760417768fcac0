// Spans of time as people write them in flags.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace quantd {

// "90d", "12h", "30m", "45s": whole, at least one second, at most 100 years. INVALID_ARGUMENT for another
// text.
absl::StatusOr<absl::Duration> ParseLifetime(std::string_view text);

}  // namespace quantd
