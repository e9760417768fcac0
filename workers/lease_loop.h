// Takes tasks of some kinds, one at a time, until it is told to stop.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "credentials/caller_credentials.h"
#include "quantd/v1/worker_service.grpc.pb.h"
#include "storage/objects/object_store.h"
#include "workers/engine/device_policy.h"

namespace quantd {

struct LeaseLoopOptions {
  std::string worker_id;
  std::vector<v1::TaskKind> kinds;
  int threads = 1;
  // Ends after one task, or when none came for so long.
  std::optional<absl::Duration> once;
  DevicePolicy* devices = nullptr;           // where jobs are encoded; outlives the loop
  CallerCredentials* credentials = nullptr;  // of every call; outlive the loop
};

class LeaseLoop {
 public:
  LeaseLoop(const std::shared_ptr<grpc::Channel>& channel, ObjectStore& store, LeaseLoopOptions options);

  // Returns when `stopping` is set or `once` says so. A task that runs when `stopping` is set is given back.
  // Errors, only with `once`: no server answered in that time, or the task's result could not be reported.
  absl::Status Run(const std::atomic<bool>& stopping);

 private:
  // Logs when calls begin to fail, in another way than before, or not any more.
  void TellChange(const grpc::Status& status);
  // Waits for a task, until `deadline` at most; an empty answer when none came.
  grpc::Status Lease(absl::Time deadline, const std::atomic<bool>& stopping, v1::LeaseResponse& response);
  struct Ended {
    absl::Status result;  // of the work
    absl::Status report;  // UNAVAILABLE: nobody took the result
  };
  Ended RunAssignment(const v1::Assignment& assignment, const std::atomic<bool>& stopping);
  // Until the object store answers: a task that is leased before that is lost.
  void WaitForStore(const std::atomic<bool>& stopping);
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
