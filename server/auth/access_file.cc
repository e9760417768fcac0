#include "server/auth/access_file.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/random_access_file.h"
#include "base/status.h"
#include "base/strict_json.h"

namespace quantd {
namespace {

constexpr uint64_t kMostBytes = 4 << 20;

// A value of the file and where it stands, for messages.
struct Place {
  const Json& json;
  std::string where;

  Place At(const char* key) const { return {json.at(key), absl::StrCat(where, ".", key)}; }
  Place At(size_t index) const { return {json.at(index), absl::StrCat(where, "[", index, "]")}; }
};

absl::Status Wrong(const Place& place, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(place.where, " ", what));
}

absl::Status CheckObject(const Place& place, std::initializer_list<const char*> keys) {
  if (!place.json.is_object()) return Wrong(place, "is no object");
  for (const auto& [key, value] : place.json.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      return Wrong(place, absl::StrCat("has a key \"", key, "\", which is not known; there are ",
                                       absl::StrJoin(keys, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadText(const Place& object, const char* key) {
  if (!object.json.contains(key)) return Wrong(object, absl::StrCat("has no \"", key, "\""));
  const Place text = object.At(key);
  if (!text.json.is_string() || text.json.get<std::string>().empty()) return Wrong(text, "is no text");
  return text.json.get<std::string>();
}

// `fallback` where there is none.
absl::StatusOr<double> ReadNumber(const Place& object, const char* key, double fallback) {
  if (!object.json.contains(key)) return fallback;
  const Place number = object.At(key);
  if (!number.json.is_number() || !(number.json.get<double>() >= 0) || number.json.get<double>() > 9e18)
    return Wrong(number, "is no number of at least 0");
  return number.json.get<double>();
}

absl::StatusOr<int64_t> ReadCount(const Place& object, const char* key) {
  ASSIGN_OR_RETURN(const double number, ReadNumber(object, key, 0));
  return static_cast<int64_t>(number);
}

// The list under `key`, which need not be there, each entry by `read`.
template <typename Read>
absl::Status ForEach(const Place& object, const char* key, Read read) {
  if (!object.json.contains(key)) return absl::OkStatus();
  const Place list = object.At(key);
  if (!list.json.is_array()) return Wrong(list, "is no list");
  for (size_t i = 0; i < list.json.size(); ++i) RETURN_IF_ERROR(read(list.At(i)));
  return absl::OkStatus();
}

absl::StatusOr<TenantLimits> ReadLimits(const Place& place) {
  RETURN_IF_ERROR(
      CheckObject(place, {"weight", "stored_bytes", "queued_jobs", "running_jobs", "upload_streams"}));
  TenantLimits limits;
  ASSIGN_OR_RETURN(limits.weight, ReadNumber(place, "weight", 1));
  if (limits.weight <= 0) return Wrong(place, "has a weight of 0: none of its jobs would ever run");
  ASSIGN_OR_RETURN(limits.stored_bytes, ReadCount(place, "stored_bytes"));
  ASSIGN_OR_RETURN(limits.queued_jobs, ReadCount(place, "queued_jobs"));
  ASSIGN_OR_RETURN(limits.running_jobs, ReadCount(place, "running_jobs"));
  ASSIGN_OR_RETURN(limits.upload_streams, ReadCount(place, "upload_streams"));
  return limits;
}

absl::Status ReadTenants(const Place& root, AccessRules& rules) {
  if (!root.json.contains("tenants")) return absl::OkStatus();
  const Place tenants = root.At("tenants");
  if (!tenants.json.is_object()) return Wrong(tenants, "is no object");
  for (const auto& [name, value] : tenants.json.items()) {
    if (!IsTenantId(name))
      return Wrong(tenants, absl::StrCat("has \"", name, "\": a tenant is 1 to 63 of [a-z0-9-]"));
    ASSIGN_OR_RETURN(rules.tenants[name], ReadLimits(tenants.At(name.c_str())));
  }
  return absl::OkStatus();
}

// A worker is of no tenant: it need not name one.
absl::StatusOr<std::string> ReadTenant(const Place& rule, Role role, const AccessRules& rules) {
  if (role == Role::kWorker && !rule.json.contains("tenant")) return std::string(kDefaultTenant);
  ASSIGN_OR_RETURN(std::string tenant, ReadText(rule, "tenant"));
  if (tenant != kDefaultTenant && !rules.tenants.contains(tenant))
    return Wrong(rule, absl::StrCat("names the tenant \"", tenant, "\", which is not among \"tenants\""));
  return tenant;
}

absl::StatusOr<Role> ReadRole(const Place& rule) {
  ASSIGN_OR_RETURN(const std::string name, ReadText(rule, "role"));
  const std::optional<Role> role = ParseRole(name);
  if (!role.has_value())
    return Wrong(rule,
                 absl::StrCat("has the role \"", name, "\"; there are viewer, submitter, admin, worker"));
  return *role;
}

absl::Status ReadCertificate(const Place& place, AccessRules& rules) {
  RETURN_IF_ERROR(CheckObject(place, {"subject", "tenant", "role"}));
  CertificateRule rule;
  ASSIGN_OR_RETURN(rule.subject, ReadText(place, "subject"));
  ASSIGN_OR_RETURN(rule.role, ReadRole(place));
  ASSIGN_OR_RETURN(rule.tenant, ReadTenant(place, rule.role, rules));
  rules.certificates.push_back(std::move(rule));
  return absl::OkStatus();
}

absl::StatusOr<SubjectRule> ReadSubject(const Place& place, const AccessRules& rules) {
  RETURN_IF_ERROR(CheckObject(place, {"subject", "tenant", "role"}));
  SubjectRule rule;
  ASSIGN_OR_RETURN(rule.subject, ReadText(place, "subject"));
  if (rule.is_prefix = absl::EndsWith(rule.subject, "*"); rule.is_prefix) rule.subject.pop_back();
  if (absl::StrContains(rule.subject, '*')) return Wrong(place, "has a '*' that is not at the subject's end");
  ASSIGN_OR_RETURN(rule.role, ReadRole(place));
  ASSIGN_OR_RETURN(rule.tenant, ReadTenant(place, rule.role, rules));
  return rule;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = OpenLocalFile(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::string> text = ReadAll(**file, kMostBytes);
  return text.ok() ? text : Annotate(text.status(), path);
}

absl::Status ReadIssuer(const Place& place, const std::filesystem::path& folder, AccessRules& rules) {
  RETURN_IF_ERROR(CheckObject(place, {"issuer", "audience", "jwks_file", "subjects"}));
  JwtIssuer issuer;
  ASSIGN_OR_RETURN(issuer.issuer, ReadText(place, "issuer"));
  ASSIGN_OR_RETURN(issuer.audience, ReadText(place, "audience"));
  ASSIGN_OR_RETURN(const std::string file, ReadText(place, "jwks_file"));
  const std::string path = folder / file;
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(Jwks keys, ParseJwks(text, path));
  issuer.keys = std::make_shared<const Jwks>(std::move(keys));
  std::vector<SubjectRule> subjects;
  RETURN_IF_ERROR(ForEach(place, "subjects", [&](const Place& subject) -> absl::Status {
    ASSIGN_OR_RETURN(SubjectRule rule, ReadSubject(subject, rules));
    subjects.push_back(std::move(rule));
    return absl::OkStatus();
  }));
  rules.files.push_back(path);
  rules.issuers.push_back(std::move(issuer));
  rules.subjects.push_back(std::move(subjects));
  return absl::OkStatus();
}

}  // namespace

bool SubjectRule::Matches(std::string_view text) const {
  return is_prefix ? text.substr(0, subject.size()) == subject : text == subject;
}

absl::StatusOr<AccessRules> ReadAccessFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(const Json json, ParseStrictJson(text, path));
  const Place root{json, absl::StrCat(path, ": access")};
  AccessRules rules;
  rules.files.push_back(path);
  RETURN_IF_ERROR(CheckObject(root, {"tenants", "certificates", "jwt"}));
  RETURN_IF_ERROR(ReadTenants(root, rules));
  RETURN_IF_ERROR(
      ForEach(root, "certificates", [&](const Place& place) { return ReadCertificate(place, rules); }));
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  RETURN_IF_ERROR(ForEach(root, "jwt", [&](const Place& place) { return ReadIssuer(place, folder, rules); }));
  return rules;
}

}  // namespace quantd
