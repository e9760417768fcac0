// Which tenants there are, and what each may have.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/auth/access.h"
#include "storage/catalogue/records.h"

namespace quantd {

// "stored_bytes=1e12,queued_jobs=100": keys are the members of TenantLimits, what is not there is no limit.
// INVALID_ARGUMENT for another form.
absl::StatusOr<TenantLimits> ParseTenantLimits(std::string_view text);

// Thread-safe.
class Tenants {
 public:
  // `others` are the limits of each tenant that the access file does not name. `access` outlives the object.
  Tenants(const Access& access, TenantLimits others) : access_(access), others_(others) {}

  TenantLimits LimitsOf(const std::string& tenant) const;
  // The value of a metric's label: the tenant where it is named, else "other".
  std::string LabelOf(const std::string& tenant) const;

 private:
  const Access& access_;
  const TenantLimits others_;
};

}  // namespace quantd
