// Sends a checkpoint: only the blobs that the server lacks, several at a time, each from its last durable
// byte.
#pragma once

#include <string>

#include "client/connection.h"

namespace quantd {

// `path` is a folder or one file. Waits until the server has inspected the model: FAILED becomes an error. An
// empty `name` means the folder's own.
absl::StatusOr<v1::Model> UploadCheckpoint(Connection& connection, const std::string& path, std::string name);

}  // namespace quantd
