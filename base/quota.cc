#include "base/quota.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr char kTenantUrl[] = "quantd/quota_tenant";
constexpr char kResourceUrl[] = "quantd/quota_resource";

}  // namespace

absl::Status QuotaExceeded(std::string_view tenant, std::string_view resource, std::string_view description,
                           std::optional<absl::Duration> retry_delay) {
  const std::string message =
      absl::StrCat("quota of tenant ", std::string(tenant), ": ", std::string(description));
  absl::Status status = retry_delay.has_value()
                            ? RetryAfter(absl::StatusCode::kResourceExhausted, message, *retry_delay)
                            : absl::ResourceExhaustedError(message);
  status.SetPayload(kTenantUrl, absl::Cord(std::string(tenant)));
  status.SetPayload(kResourceUrl, absl::Cord(std::string(resource)));
  return status;
}

std::optional<QuotaRef> QuotaOf(const absl::Status& status) {
  const absl::optional<absl::Cord> tenant = status.GetPayload(kTenantUrl);
  const absl::optional<absl::Cord> resource = status.GetPayload(kResourceUrl);
  if (!tenant.has_value() || !resource.has_value()) return std::nullopt;
  return QuotaRef{std::string(*tenant), std::string(*resource)};
}

}  // namespace quantd
