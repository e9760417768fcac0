// One WatchJob stream.
#pragma once

#include "quantd/v1/job_service.grpc.pb.h"
#include "server/queue/watch_hub.h"
#include "server/rpc/call_scope.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {

// The reactor deletes itself when the stream is done. `catalogue` and `hub` outlive it. A caller that was
// refused gets that error.
grpc::ServerWriteReactor<v1::JobEvent>* StartWatch(Catalogue& catalogue, WatchHub& hub, CallScope scope,
                                                   const v1::WatchJobRequest& request);

}  // namespace quantd
