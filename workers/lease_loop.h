// Takes tasks of some kinds, one at a time, until it is told to stop.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "credentials/caller_credentials.h"
#include "quantd/v1/worker_service.grpc.pb.h"
#include "storage/objects/object_store.h"
#include "workers/engine/device_policy.h"

namespace quantd {

struct LeaseLoopOptions {
  std::string worker_id;
  std::vector<v1::TaskKind> kinds;
  int threads = 1;
  bool once = false;                         // ends after one task
  DevicePolicy* devices = nullptr;           // where jobs are encoded; outlives the loop
  CallerCredentials* credentials = nullptr;  // of every call; outlive the loop
};

class LeaseLoop {
 public:
  LeaseLoop(std::shared_ptr<grpc::Channel> channel, ObjectStore& store, LeaseLoopOptions options);

  // Returns when `stopping` is set or, with `once`, after a task. A task that runs when `stopping` is set is
  // given back.
  void Run(const std::atomic<bool>& stopping);

 private:
  // Logs when calls begin to fail, in another way than before, or not any more.
  void TellChange(const grpc::Status& status);
  void RunAssignment(const v1::Assignment& assignment, const std::atomic<bool>& stopping);
  struct Reported {
    grpc::Status status;    // FAILED_PRECONDITION: the lease is lost
    bool doubtful = false;  // an earlier try may have made the result public
  };
  // Retries while the server can't be reached.
  Reported Report(const v1::Assignment& assignment, const absl::Status& result,
                  v1::CompleteRequest& complete);

  std::unique_ptr<v1::WorkerService::Stub> stub_;
  ObjectStore& store_;
  LeaseLoopOptions options_;
  grpc::StatusCode last_code_ = grpc::StatusCode::OK;  // of Lease
};

}  // namespace quantd
