#include "client/retry.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace quantd {

absl::Status RetryUnavailable(const std::function<absl::Status()>& attempt,
                              const std::function<int64_t()>& progress, const RetryLimits& limits) {
  absl::BitGen random;
  absl::Duration delay = limits.first_delay;
  int64_t reached = progress();
  absl::Time end = absl::Now() + limits.patience;
  for (;;) {
    absl::Status status = attempt();
    if (!absl::IsUnavailable(status)) return status;
    if (progress() > reached) {
      reached = progress();
      delay = limits.first_delay;
      end = absl::Now() + limits.patience;
    }
    const absl::Duration asked =
        std::min(RetryDelayOf(status).value_or(absl::ZeroDuration()), limits.longest_delay);
    const absl::Duration pause = std::max(asked, delay * absl::Uniform(random, 0.75, 1.25));
    if (absl::Now() + pause > end) return status;
    absl::SleepFor(pause);
    delay = std::min(delay * 2, limits.longest_delay);
  }
}

}  // namespace quantd
