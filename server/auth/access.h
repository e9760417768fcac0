// Who may do what: from what a call brings along to its caller.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/auth/access_file.h"
#include "server/auth/caller.h"
#include "server/auth/reloaded.h"
#include "storage/catalogue/records.h"

namespace quantd {

struct AccessOptions {
  // False: who brings no credentials is the default tenant, and may do everything.
  bool require_authentication = false;
  std::string access_file{};  // empty: there is none
};

// What a call brings along.
struct CallCredentials {
  std::vector<std::string> authorization{};  // values of that header
  std::vector<std::string>
      certificate_names{};  // of a client certificate that was verified: common name, DNS, URIs
};

// Thread-safe.
class Access {
 public:
  // NOT_FOUND for an id that there is none of.
  using FindToken = std::function<absl::StatusOr<TokenRecord>(const std::string& id)>;

  // Reads the access file. `clock` outlives the object.
  static absl::StatusOr<std::unique_ptr<Access>> Open(const AccessOptions& options, FindToken find_token,
                                                      Clock& clock);

  // Who calls, if they may call `method` ("/PACKAGE.SERVICE/METHOD"). A credential that is brought along must
  // be valid, also where none is required: UNAUTHENTICATED. PERMISSION_DENIED: it is, but gives no right to
  // this call.
  absl::StatusOr<Caller> Check(const CallCredentials& credentials, std::string_view method) const;

  // A token for the workers that this process starts. It is good as long as the process, and kept nowhere.
  std::string MakeLocalWorkerToken();

  // Nothing for a tenant that the access file does not name.
  std::optional<TenantLimits> LimitsOf(const std::string& tenant) const;
  // Tenants that tokens may be made for; nothing: any.
  std::optional<std::vector<std::string>> tenants() const;
  bool requires_authentication() const { return options_.require_authentication; }

  // Reads the access file and key sets again when they have changed. Called by one thread.
  void Refresh();

 private:
  Access(AccessOptions options, FindToken find_token, Clock& clock);

  absl::StatusOr<Caller> Authenticate(const CallCredentials& credentials) const;
  absl::StatusOr<Caller> ByHeader(const std::string& header) const;
  absl::StatusOr<Caller> ByToken(std::string_view text) const;
  absl::StatusOr<Caller> ByJwt(std::string_view text) const;
  std::optional<Caller> ByCertificate(const std::vector<std::string>& names) const;
  std::shared_ptr<const AccessRules> rules() const;

  const AccessOptions options_;
  const FindToken find_token_;
  Clock& clock_;
  std::unique_ptr<Reloaded<AccessRules>> file_;  // null without an access file
  std::optional<TokenRecord> local_worker_;      // set before the first call
};

}  // namespace quantd
