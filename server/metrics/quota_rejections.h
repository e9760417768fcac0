// Calls and jobs that a quota stopped.
#pragma once

#include "absl/status/status.h"
#include "server/server_context.h"

namespace quantd {

// Counts an error of base/quota.h, and nothing else; the same status, so that it can be returned.
absl::Status CountQuota(ServerContext& context, absl::Status status);

}  // namespace quantd
