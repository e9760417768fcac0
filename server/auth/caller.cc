#include "server/auth/caller.h"

#include <algorithm>
#include <utility>

namespace quantd {
namespace {

constexpr std::pair<Role, std::string_view> kRoleNames[] = {{Role::kViewer, "viewer"},
                                                            {Role::kSubmitter, "submitter"},
                                                            {Role::kAdmin, "admin"},
                                                            {Role::kWorker, "worker"}};

}  // namespace

std::string_view RoleName(Role role) {
  return std::find_if(std::begin(kRoleNames), std::end(kRoleNames),
                      [&](const auto& entry) { return entry.first == role; })
      ->second;
}

std::optional<Role> ParseRole(std::string_view name) {
  for (const auto& [role, text] : kRoleNames) {
    if (text == name) return role;
  }
  return std::nullopt;
}

bool IsTenantId(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace quantd
