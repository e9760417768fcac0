// Paths of files inside a checkpoint or an artifact.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace quantd {

// INVALID_ARGUMENT unless `path` is relative, of parts joined by single '/', none of them empty, "." or "..",
// without backslash, control characters or a NUL, at most 1024 bytes. Such a path can't climb out of the
// folder it is joined to.
absl::Status CheckRelativePath(std::string_view path);

}  // namespace quantd
