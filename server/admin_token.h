// `quantd admin-token`: the first way in.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace quantd {

// Makes a token of role "admin" in that catalogue, and returns its text. Whoever may write to the catalogue
// may do everything anyhow; a server that runs on it knows the token at once. `lifetime` as in
// base/duration.h, empty: for ever.
absl::StatusOr<std::string> CreateAdminToken(const std::string& catalogue_address,
                                             const std::string& lifetime);

}  // namespace quantd
