// The one rule of retrying: only UNAVAILABLE, with backoff, for as long as there is hope.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace quantd {

struct RetryLimits {
  // How long to go on without progress; long enough for a server to be restarted.
  absl::Duration patience = absl::Seconds(30);
  absl::Duration first_delay = absl::Milliseconds(100);
  absl::Duration longest_delay = absl::Seconds(2);
};

// Calls `attempt` until it succeeds, fails with something else than UNAVAILABLE, or has made no progress for
// `limits.patience`; gives the last attempt's status. Delays double, vary by a quarter, are at least what the
// server asked for (RetryInfo), and begin again at the first one when `progress` has grown.
absl::Status RetryUnavailable(const std::function<absl::Status()>& attempt,
                              const std::function<int64_t()>& progress, const RetryLimits& limits = {});

}  // namespace quantd
