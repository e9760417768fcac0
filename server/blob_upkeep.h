// Keeps the object store and the catalogue in step where a crash came between the two.
#pragma once

#include "server/rpc/resource_names.h"
#include "server/server_context.h"

namespace quantd {

// True when the store has the blob of that upload: the catalogue knows it, or it was published and the crash
// came before that was recorded, which is made up for now.
absl::StatusOr<bool> HasBlob(ServerContext& context, const UploadName& name);

// Removes objects that the catalogue does not know. Failures are logged: the object is unreachable either
// way. Returns those that are gone.
std::vector<std::string> RemoveObjects(ServerContext& context, const std::vector<std::string>& keys);

// Removes objects that have just become garbage (catalogue.h), unless they are to have a grace: then the
// collector removes them.
void RemoveUnneeded(ServerContext& context, const std::vector<std::string>& keys);

// Removes all garbage that has had its grace.
absl::Status RemoveGarbage(ServerContext& context);

// Removes what attempts that died left in the object store.
absl::Status RemoveLostArtifacts(ServerContext& context);

// Once, before the first call: records blobs that were published, removes blobs and parts of uploads that
// nothing needs.
absl::Status SettleBlobs(ServerContext& context);

}  // namespace quantd
