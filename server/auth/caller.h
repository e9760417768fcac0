// Who calls: what a credential proves about a caller.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quantd {

// A viewer reads what its tenant has; a submitter changes it, too; an admin is a submitter of its own tenant
// who also manages the deployment (tokens of all tenants, collection). A worker leases tasks of all tenants
// and does nothing else.
enum class Role { kViewer, kSubmitter, kAdmin, kWorker };

struct Caller {
  std::string tenant;    // whose models, jobs and blobs it sees
  std::string identity;  // for logs: "token:ID", "certificate:NAME", "jwt:SUBJECT", "anonymous"
  Role role = Role::kViewer;
};

// "viewer", "submitter", "admin", "worker".
std::string_view RoleName(Role role);
std::optional<Role> ParseRole(std::string_view name);

// 1 to 63 of [a-z0-9-].
bool IsTenantId(std::string_view text);

}  // namespace quantd
