#include "server/metrics/quota_rejections.h"

#include <spdlog/spdlog.h>

#include "base/quota.h"

namespace quantd {

absl::Status CountQuota(ServerContext& context, absl::Status status) {
  const std::optional<QuotaRef> quota = QuotaOf(status);
  if (!quota.has_value()) return status;
  context.metrics.quota_rejections
      .Add({{"tenant", context.tenants.LabelOf(quota->tenant)}, {"resource", quota->resource}})
      .Increment();
  spdlog::info("tenant {} met its quota of {}", quota->tenant, quota->resource);
  return status;
}

}  // namespace quantd
