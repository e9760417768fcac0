// The access file: tenants and their limits, and whom certificates and JSON Web Tokens stand for.
// docs/operations.md describes it for people.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/auth/caller.h"
#include "server/auth/jwt.h"
#include "storage/catalogue/records.h"

namespace quantd {

// Of a certificate: its common name, or one of its alternative names (DNS or URI).
struct CertificateRule {
  std::string subject;
  std::string tenant;
  Role role = Role::kViewer;
};

// Of an issuer's tokens: the subject, or how it begins.
struct SubjectRule {
  std::string subject;
  bool is_prefix = false;
  std::string tenant;
  Role role = Role::kViewer;

  bool Matches(std::string_view text) const;
};

// Of rules that match, the first counts.
struct AccessRules {
  std::map<std::string, TenantLimits> tenants;
  std::vector<CertificateRule> certificates;
  std::vector<JwtIssuer> issuers;
  std::vector<std::vector<SubjectRule>> subjects;  // of each issuer
  std::vector<std::string> files;                  // that the rules came from: the access file and key sets
};

// Reads the file and the key sets that it names (paths are relative to its folder). INVALID_ARGUMENT, naming
// the place in the file, for what is wrong or not known: a misspelt key must not open or close a door unseen.
absl::StatusOr<AccessRules> ReadAccessFile(const std::string& path);

}  // namespace quantd
