#include "server/auth/access.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/printable.h"
#include "base/status.h"
#include "server/auth/bearer_token.h"
#include "server/auth/jwt.h"
#include "server/auth/policy.h"

namespace quantd {
namespace {

constexpr char kAnonymous[] = "anonymous";
constexpr size_t kLongestIdentity = 200;

std::string Identity(const char* kind, const std::string& name) {
  return absl::StrCat(kind, ":", PrintableLine(name, kLongestIdentity));
}

// "DeleteJob" of "/quantd.v1.JobService/DeleteJob".
std::string ShortName(std::string_view method) { return std::string(method.substr(method.rfind('/') + 1)); }

}  // namespace

Access::Access(AccessOptions options, FindToken find_token, Clock& clock)
    : options_(std::move(options)), find_token_(std::move(find_token)), clock_(clock) {}

absl::StatusOr<std::unique_ptr<Access>> Access::Open(const AccessOptions& options, FindToken find_token,
                                                     Clock& clock) {
  std::unique_ptr<Access> access(new Access(options, std::move(find_token), clock));
  if (!options.access_file.empty()) {
    ASSIGN_OR_RETURN(access->file_, Reloaded<AccessRules>::Open("access file", [path = options.access_file] {
                       return ReadAccessFile(path);
                     }));
  }
  return access;
}

std::shared_ptr<const AccessRules> Access::rules() const {
  static const auto kNone = std::make_shared<const AccessRules>();
  return file_ == nullptr ? kNone : file_->Get();
}

absl::StatusOr<Caller> Access::Check(const CallCredentials& credentials, std::string_view method) const {
  const MethodPolicy* policy = FindPolicy(method);
  if (policy == nullptr) {
    return absl::PermissionDeniedError(
        absl::StrCat("nobody may call ", ShortName(method), ": it has no policy"));
  }
  ASSIGN_OR_RETURN(Caller caller, Authenticate(credentials));
  if (caller.identity == kAnonymous || Allows(caller.role, policy->least)) return caller;
  return absl::PermissionDeniedError(absl::StrCat(caller.identity, " has the role ",
                                                  std::string(RoleName(caller.role)), "; ", ShortName(method),
                                                  " needs the role ", std::string(RoleName(policy->least))));
}

absl::StatusOr<Caller> Access::Authenticate(const CallCredentials& credentials) const {
  if (credentials.authorization.size() > 1)
    return absl::UnauthenticatedError("the call has several authorization headers");
  if (!credentials.authorization.empty()) return ByHeader(credentials.authorization.front());
  if (std::optional<Caller> caller = ByCertificate(credentials.certificate_names); caller.has_value())
    return *std::move(caller);
  if (!options_.require_authentication) return Caller{kDefaultTenant, kAnonymous, Role::kAdmin};
  if (!credentials.certificate_names.empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the access file has no entry for the certificate of ",
                     PrintableLine(absl::StrJoin(credentials.certificate_names, ", "), kLongestIdentity)));
  }
  return absl::UnauthenticatedError("the call has no credentials");
}

absl::StatusOr<Caller> Access::ByHeader(const std::string& header) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(header, absl::string_view(kScheme.data(), kScheme.size())))
    return absl::UnauthenticatedError("the authorization header is not of the form \"Bearer TOKEN\"");
  const std::string_view token = std::string_view(header).substr(kScheme.size());
  return LooksLikeToken(token) ? ByToken(token) : ByJwt(token);
}

absl::StatusOr<Caller> Access::ByToken(std::string_view text) const {
  const absl::Status invalid = absl::UnauthenticatedError("the bearer token is not valid");
  const std::optional<TokenParts> parts = ParseToken(text);
  if (!parts.has_value()) return invalid;
  const bool local = local_worker_.has_value() && local_worker_->id == parts->id;
  const absl::StatusOr<TokenRecord> found = local ? *local_worker_ : find_token_(parts->id);
  if (absl::IsNotFound(found.status())) return invalid;
  RETURN_IF_ERROR(found.status());
  if (!MatchesToken(*found, parts->secret)) return invalid;
  const std::string identity = local ? "local-worker" : Identity("token", found->id);
  if (found->revoke_time.has_value())
    return absl::UnauthenticatedError(absl::StrCat("the bearer token ", found->id, " was revoked"));
  if (found->expire_time.has_value() && clock_.Now() >= *found->expire_time) {
    return absl::UnauthenticatedError(
        absl::StrCat("the bearer token ", found->id, " has expired at ",
                     absl::FormatTime(absl::RFC3339_sec, *found->expire_time, absl::UTCTimeZone())));
  }
  const std::optional<Role> role = ParseRole(found->role);
  if (!role.has_value()) return absl::InternalError(absl::StrCat(identity, " has a role that is not known"));
  return Caller{found->tenant, identity, *role};
}

absl::StatusOr<Caller> Access::ByJwt(std::string_view text) const {
  const std::shared_ptr<const AccessRules> rules = this->rules();
  if (rules->issuers.empty()) return absl::UnauthenticatedError("the bearer token is not valid");
  ASSIGN_OR_RETURN(const JwtIdentity token, VerifyJwt(text, rules->issuers, clock_.Now()));
  for (const SubjectRule& rule : rules->subjects[token.issuer]) {
    if (rule.Matches(token.subject)) return Caller{rule.tenant, Identity("jwt", token.subject), rule.role};
  }
  return absl::PermissionDeniedError(absl::StrCat("the access file has no entry for the subject ",
                                                  PrintableLine(token.subject, kLongestIdentity)));
}

std::optional<Caller> Access::ByCertificate(const std::vector<std::string>& names) const {
  const std::shared_ptr<const AccessRules> rules = this->rules();
  for (const CertificateRule& rule : rules->certificates) {
    if (std::find(names.begin(), names.end(), rule.subject) != names.end())
      return Caller{rule.tenant, Identity("certificate", rule.subject), rule.role};
  }
  return std::nullopt;
}

std::string Access::MakeLocalWorkerToken() {
  NewToken token = MakeToken(kDefaultTenant, Role::kWorker, "local worker", std::nullopt);
  local_worker_ = std::move(token.record);
  return token.text;
}

std::optional<TenantLimits> Access::LimitsOf(const std::string& tenant) const {
  const std::shared_ptr<const AccessRules> rules = this->rules();
  const auto found = rules->tenants.find(tenant);
  if (found == rules->tenants.end()) return std::nullopt;
  return found->second;
}

std::optional<std::vector<std::string>> Access::tenants() const {
  if (file_ == nullptr) return std::nullopt;
  std::vector<std::string> names = {kDefaultTenant};
  const std::shared_ptr<const AccessRules> rules = this->rules();
  for (const auto& [name, limits] : rules->tenants) {
    if (name != kDefaultTenant) names.push_back(name);
  }
  return names;
}

void Access::Refresh() {
  if (file_ != nullptr) file_->Refresh();
}

}  // namespace quantd
