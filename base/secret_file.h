// Files that hold a secret: a token or a private key.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd {

// The text of a regular file of at most `limit` bytes (INVALID_ARGUMENT) that others can't read: only its
// owner may, or its group, too, when root owns it (as Kubernetes mounts secrets). FAILED_PRECONDITION, with
// what to do about it, when others could; NOT_FOUND and PERMISSION_DENIED of the system. Messages begin with
// the path.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path, uint64_t limit);

}  // namespace quantd
