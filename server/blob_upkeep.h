// Keeps the object store and the catalogue in step where a crash came between the two.
#pragma once

#include "server/rpc/resource_names.h"
#include "server/server_context.h"

namespace quantd {

// True when the store has the blob of that upload: the catalogue knows it, or it was published and the crash
// came before that was recorded, which is made up for now.
absl::StatusOr<bool> HasBlob(ServerContext& context, const UploadName& name);

// Once, before the first call: records blobs that were published, removes blobs and parts of uploads that
// nothing needs.
absl::Status SettleBlobs(ServerContext& context);

}  // namespace quantd
