// Counts how jobs end, from the catalogue's events.
#pragma once

#include <string>

#include "server/server_context.h"

namespace quantd {

// After an event of that job: counts it when the event ended the job or queued it again.
void CountOutcome(ServerContext& context, const std::string& job_id);

}  // namespace quantd
