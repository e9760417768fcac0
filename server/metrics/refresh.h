// Figures that are read when somebody scrapes: jobs, storage, workers.
#pragma once

#include "server/queue/dispatcher.h"
#include "server/server_context.h"

namespace quantd {

// Thread-safe.
void RefreshMetrics(ServerContext& context, const Dispatcher& dispatcher);

}  // namespace quantd
