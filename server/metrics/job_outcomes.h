// Counts how jobs end, from the catalogue's events.
#pragma once

#include "server/server_context.h"

namespace quantd {

// Counts an event that ended its job or queued it again. Once for each event.
void CountOutcome(ServerContext& context, const JobNews& news);

}  // namespace quantd
