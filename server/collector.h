// Takes away what nobody needs any more, from time to time and when an operator asks.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "quantd/v1/admin_service.pb.h"
#include "server/rpc/upload_sessions.h"
#include "server/server_context.h"

namespace quantd {

// Thread-safe; of several servers one at a time decides what goes, under the catalogue's content lock.
class Collector {
 public:
  Collector(ServerContext& context, UploadSessions& uploads) : context_(context), uploads_(uploads) {}
  // Ends the thread, after a collection that runs.
  ~Collector();

  // Collects every ten minutes from now on, in a thread of its own.
  void Start();
  // Now. With `dry_run` nothing changes: what would go.
  absl::StatusOr<v1::CollectGarbageResponse> Collect(bool dry_run);

 private:
  void Run();

  ServerContext& context_;
  UploadSessions& uploads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace quantd
