// Makes the object store that a URL names.
#pragma once

#include <memory>
#include <string>

#include "storage/objects/object_store.h"

namespace quantd {

// How long calls go on while the store does not answer.
enum class StorePatience {
  kSeconds,  // somebody waits for the answer
  kMinute,   // giving up would lose a job's work
};

// "file:DIR": the folder is made if it is missing. "memory:": a new store that only this process sees.
// "s3://BUCKET/PREFIX?endpoint=…&region=…&path_style=…": s3/location.h and s3_store.h; keys come from the
// environment. INVALID_ARGUMENT for any other scheme.
absl::StatusOr<std::unique_ptr<ObjectStore>> OpenObjectStore(
    const std::string& url, StorePatience patience = StorePatience::kSeconds);

}  // namespace quantd
