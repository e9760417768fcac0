// Sends a checkpoint: only the blobs that the server lacks, several at a time.
#pragma once

#include <string>

#include "client/connection.h"

namespace quantd {

// `path` as in SelectCheckpoint; what is skipped is told on stderr. Waits until the server has inspected the
// model. An empty `name` means the checkpoint's own.
// INVALID_ARGUMENT or FAILED_PRECONDITION when the inspection failed.
absl::StatusOr<v1::Model> UploadCheckpoint(Connection& connection, const std::string& path,
                                           const std::string& name);

}  // namespace quantd
