// An object store in this process's memory, gone with it: for tests, and for what needs no other process.
#pragma once

#include <memory>

#include "storage/objects/object_store.h"

namespace quantd {

// Empty. Every call makes another store.
std::unique_ptr<ObjectStore> OpenMemoryStore();

}  // namespace quantd
