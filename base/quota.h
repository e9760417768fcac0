// The error of a quota: RESOURCE_EXHAUSTED that carries whose and which, as base/status.h does for other
// details.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace quantd {

// `tenant` has used up what it may have of `resource` ("stored_bytes", "queued_jobs", …); with the time after
// which another try may work, where waiting helps. Becomes QuotaFailure and RetryInfo.
absl::Status QuotaExceeded(std::string_view tenant, std::string_view resource, std::string_view description,
                           std::optional<absl::Duration> retry_delay = std::nullopt);

struct QuotaRef {
  std::string tenant;
  std::string resource;
};
// What QuotaExceeded attached.
std::optional<QuotaRef> QuotaOf(const absl::Status& status);

}  // namespace quantd
