#include "server/admin_token.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/status.h"
#include "server/auth/bearer_token.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {

absl::StatusOr<std::string> CreateAdminToken(const std::string& catalogue_address,
                                             const std::string& lifetime) {
  SystemClock clock;
  std::optional<absl::Time> expires;
  if (!lifetime.empty()) {
    ASSIGN_OR_RETURN(const absl::Duration duration, ParseDuration(lifetime));
    if (duration == absl::ZeroDuration()) return absl::InvalidArgumentError("a token must live for a time");
    expires = clock.Now() + duration;
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Catalogue> catalogue, Catalogue::Open(catalogue_address, clock, {}));
  NewToken token = MakeToken(kDefaultTenant, Role::kAdmin, "quantd admin-token", expires);
  RETURN_IF_ERROR(catalogue->CreateToken(std::move(token.record)).status());
  return token.text;
}

}  // namespace quantd
