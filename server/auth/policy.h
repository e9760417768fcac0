// Which role each method needs. The only list of it: a method that is not here is refused to everybody.
#pragma once

#include <span>
#include <string_view>

#include "server/auth/caller.h"

namespace quantd {

struct MethodPolicy {
  std::string_view method;  // "/PACKAGE.SERVICE/METHOD"
  Role least;
  bool changes;  // every call of it is in the audit log
};

std::span<const MethodPolicy> MethodPolicies();

// Null where there is none.
const MethodPolicy* FindPolicy(std::string_view method);

// Viewer, submitter and admin each may do what the one before may; a worker only what needs a worker, and
// nobody else may do that.
bool Allows(Role has, Role least);

}  // namespace quantd
