// An object store in a folder: DIR/objects/KEY, DIR/uploads/ID for what is arriving, DIR/temporary for what
// is being written.
#pragma once

#include <memory>
#include <string>

#include "storage/objects/object_store.h"

namespace quantd {

// Makes the folders that are missing and removes what a crash left in DIR/temporary by processes that are
// gone.
absl::StatusOr<std::unique_ptr<ObjectStore>> OpenFilesystemStore(const std::string& folder);

}  // namespace quantd
