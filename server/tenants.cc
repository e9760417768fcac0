#include "server/tenants.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace quantd {

absl::StatusOr<TenantLimits> ParseTenantLimits(std::string_view text) {
  TenantLimits limits;
  if (text.empty()) return limits;
  for (const absl::string_view part : absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    const std::pair<absl::string_view, absl::string_view> item =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    double value = 0;
    // Numbers such as 1e12 are easier to read than their zeros.
    constexpr double kMost = 9e18;
    if (!absl::SimpleAtod(item.second, &value) || !(value >= 0 && value <= kMost))
      return absl::InvalidArgumentError(absl::StrCat("limit \"", part, "\" is not of the form NAME=NUMBER"));
    const auto whole = static_cast<int64_t>(value);
    if (item.first == "weight" && value > 0) {
      limits.weight = value;
    } else if (item.first == "stored_bytes") {
      limits.stored_bytes = whole;
    } else if (item.first == "queued_jobs") {
      limits.queued_jobs = whole;
    } else if (item.first == "running_jobs") {
      limits.running_jobs = whole;
    } else if (item.first == "upload_streams") {
      limits.upload_streams = whole;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("limit \"", part,
                       "\" is none of weight (more than 0), stored_bytes, queued_jobs, "
                       "running_jobs and upload_streams"));
    }
  }
  return limits;
}

TenantLimits Tenants::LimitsOf(const std::string& tenant) const {
  return access_.LimitsOf(tenant).value_or(others_);
}

std::string Tenants::LabelOf(const std::string& tenant) const {
  return tenant == kDefaultTenant || access_.LimitsOf(tenant).has_value() ? tenant : "other";
}

}  // namespace quantd
