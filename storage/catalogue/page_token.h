// Page tokens: the sequence number before which the next page begins.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "base/status.h"

namespace quantd {

// The largest number for an empty token.
inline absl::StatusOr<int64_t> ParsePageToken(const std::string& token) {
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!token.empty() && !absl::SimpleAtoi(token, &before))
    return InvalidField("page_token", "is not one that a list returned");
  return before;
}

}  // namespace quantd
