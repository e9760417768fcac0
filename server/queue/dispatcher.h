// Calls that wait: Lease until there is a task, CreateJob(validate_only) until its plan is there. One thread
// serves them all, and lets leases expire.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "server/server_context.h"

namespace quantd {

class Dispatcher {
 public:
  using LeaseCallback = std::function<void(absl::StatusOr<std::optional<LeaseRecord>>)>;
  using PlanCallback = std::function<void(absl::StatusOr<std::string>)>;

  explicit Dispatcher(ServerContext& context);
  ~Dispatcher();

  // Once, when the catalogue's listener is set; calls that wait are served from then on.
  void Start();

  // Calls back once, from the dispatcher's thread: with a lease, with nothing at the deadline or when
  // draining, or an error. `is_cancelled` tells that nobody waits any more: such a call takes no task.
  void WaitForLease(std::vector<TaskKind> kinds, std::string worker_id, absl::Duration wait,
                    std::function<bool()> is_cancelled, LeaseCallback done);
  void WaitForPlan(std::string task_id, absl::Duration wait, PlanCallback done);

  // From the catalogue's listener: something may have changed.
  void Wake();
  // The process of that worker has ended: its tasks need not wait for their leases to run out.
  void WorkerEnded(const std::string& worker_id, const std::string& how);
  // Answers everybody who waits, and gives out no lease any more.
  void Drain();
  // Identifiers of the workers that wait for a job.
  std::vector<std::string> idle_workers() const;

 private:
  struct LeaseWaiter {
    std::vector<TaskKind> kinds;
    std::string worker_id;
    absl::Time deadline;
    std::function<bool()> is_cancelled;
    LeaseCallback done;
  };
  struct PlanWaiter {
    std::string task_id;
    absl::Time deadline;
    PlanCallback done;
  };
  struct EndedWorker {
    std::string id;
    std::string how;
  };

  void Run();
  void ServeLeases(std::list<LeaseWaiter>& waiters, bool draining);
  void ServePlans(std::list<PlanWaiter>& waiters, bool draining);
  // At every tick, and at once for workers that have ended.
  void Expire(const std::vector<EndedWorker>& ended);
  // Removes what attempts that died left in the object store.
  void CollectArtifacts();
  // The same on a thread of its own, one at a time: the store may take long, and who waits must not.
  void StartToCollect();

  ServerContext& context_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<LeaseWaiter> leases_;
  std::list<PlanWaiter> plans_;
  std::vector<EndedWorker> ended_workers_;
  std::vector<std::string> idle_workers_;
  std::chrono::steady_clock::time_point next_expiry_;  // of the thread
  bool woken_ = false;
  bool draining_ = false;
  bool stopping_ = false;
  bool catalogue_failing_ = false;  // of the thread
  bool collect_ = true;             // something may be left that is not collected yet; of the thread
  absl::Time collected_;            // when CollectArtifacts began last; of the thread
  std::thread thread_;
  std::future<void> collecting_;  // its destructor waits
};

}  // namespace quantd
