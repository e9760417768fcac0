#include "server/queue/dispatcher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/status.h"
#include "server/blob_upkeep.h"

namespace quantd {
namespace {

// How often leases are looked at, and deadlines when nothing wakes the thread.
constexpr std::chrono::milliseconds kTick(250);
// How often objects are looked for that a worker left after its lease had run out.
constexpr absl::Duration kCollect = absl::Minutes(10);

absl::Status NoPlan(bool draining) {
  return RetryAfter(absl::StatusCode::kUnavailable,
                    draining ? "the server is stopping" : "no worker was free to plan; try again",
                    absl::Seconds(1));
}

}  // namespace

Dispatcher::Dispatcher(ServerContext& context) : context_(context) {}

void Dispatcher::Start() {
  thread_ = std::thread([this] { Run(); });
}

Dispatcher::~Dispatcher() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    draining_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Dispatcher::WaitForLease(std::vector<TaskKind> kinds, std::string worker_id, absl::Duration wait,
                              std::function<bool()> is_cancelled, LeaseCallback done) {
  std::lock_guard lock(mutex_);
  leases_.push_back(
      {std::move(kinds), std::move(worker_id), absl::Now() + wait, std::move(is_cancelled), std::move(done)});
  woken_ = true;
  changed_.notify_all();
}

void Dispatcher::WaitForPlan(std::string task_id, absl::Duration wait, PlanCallback done) {
  std::lock_guard lock(mutex_);
  plans_.push_back({std::move(task_id), absl::Now() + wait, std::move(done)});
  woken_ = true;
  changed_.notify_all();
}

void Dispatcher::Wake() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void Dispatcher::WorkerEnded(const std::string& worker_id, const std::string& how) {
  std::lock_guard lock(mutex_);
  ended_workers_.push_back({worker_id, how});
  woken_ = true;
  changed_.notify_all();
}

void Dispatcher::Drain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
  woken_ = true;
  changed_.notify_all();
}

void Dispatcher::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_for(lock, kTick, [&] { return woken_ || stopping_; });
    woken_ = false;
    const bool stopping = stopping_, draining = draining_;
    // Waiters are served without the lock: their callbacks and the catalogue may come back to it.
    std::list<LeaseWaiter> leases = std::move(leases_);
    std::list<PlanWaiter> plans = std::move(plans_);
    const std::vector<EndedWorker> ended = std::exchange(ended_workers_, {});
    leases_.clear();
    plans_.clear();
    lock.unlock();
    Expire(ended);
    ServeLeases(leases, draining);
    ServePlans(plans, draining);
    lock.lock();
    leases_.splice(leases_.begin(), leases);
    plans_.splice(plans_.begin(), plans);
    idle_workers_.clear();
    for (const LeaseWaiter& waiter : leases_) {
      if (std::count(waiter.kinds.begin(), waiter.kinds.end(), TaskKind::kQuantize) > 0)
        idle_workers_.push_back(waiter.worker_id);
    }
    if (stopping && leases_.empty() && plans_.empty()) break;
  }
}

void Dispatcher::ServeLeases(std::list<LeaseWaiter>& waiters, bool draining) {
  for (auto waiter = waiters.begin(); waiter != waiters.end();) {
    absl::StatusOr<std::optional<LeaseRecord>> lease = std::optional<LeaseRecord>();
    const bool gone = waiter->is_cancelled();
    if (!gone && !draining) {
      lease = context_.catalogue.LeaseTask(waiter->kinds, waiter->worker_id,
                                           context_.engines.VersionOf(waiter->worker_id));
    }
    const bool over =
        gone || draining || absl::Now() >= waiter->deadline || !lease.ok() || lease->has_value();
    if (!over) {
      ++waiter;
      continue;
    }
    // A worker that is told so waits before it asks again.
    if (draining)
      lease = RetryAfter(absl::StatusCode::kUnavailable, "the server is stopping", absl::Seconds(1));
    waiter->done(std::move(lease));
    waiter = waiters.erase(waiter);
  }
}

void Dispatcher::ServePlans(std::list<PlanWaiter>& waiters, bool draining) {
  for (auto waiter = waiters.begin(); waiter != waiters.end();) {
    absl::StatusOr<std::string> plan = context_.catalogue.TakePlan(waiter->task_id);
    const bool over = draining || absl::Now() >= waiter->deadline;
    if (absl::IsUnavailable(plan.status()) && !over) {
      ++waiter;
      continue;
    }
    if (absl::IsUnavailable(plan.status())) {
      if (absl::Status status = context_.catalogue.DropPlan(waiter->task_id); !status.ok())
        spdlog::warn("a plan could not be dropped: {}", std::string(status.message()));
      plan = NoPlan(draining);
    }
    waiter->done(std::move(plan));
    waiter = waiters.erase(waiter);
  }
}

void Dispatcher::Expire(const std::vector<EndedWorker>& ended) {
  // Not at every call of Lease, which waits meanwhile.
  const auto now = std::chrono::steady_clock::now();
  if (ended.empty() && now < next_expiry_) return;
  next_expiry_ = now + kTick;
  absl::StatusOr<int> expired = context_.catalogue.ExpireLeases();
  for (const EndedWorker& worker : ended) {
    const absl::StatusOr<int> lost = context_.catalogue.LoseWorker(worker.id, "its worker " + worker.how);
    if (!lost.ok()) expired = lost.status();
    if (expired.ok()) *expired += *lost;
  }
  // Once, not at every tick, while the catalogue does not answer.
  if (!expired.ok() && !std::exchange(catalogue_failing_, true)) {
    spdlog::error("leases can't be checked: {}", std::string(expired.status().message()));
  }
  if (expired.ok() && std::exchange(catalogue_failing_, false)) spdlog::info("leases are checked again");
  if (expired.ok() && *expired > 0) {
    context_.metrics.leases_expired.Increment(*expired);
    spdlog::warn("{} leases ended: their workers were lost", *expired);
  }
  if ((expired.ok() && *expired > 0) || absl::Now() - collected_ > kCollect) collect_ = true;
  if (collect_) StartToCollect();
}

void Dispatcher::StartToCollect() {
  if (collecting_.valid() && collecting_.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    return;
  collect_ = false;
  collected_ = absl::Now();
  collecting_ = std::async(std::launch::async, [this] { CollectArtifacts(); });
}

void Dispatcher::CollectArtifacts() {
  collected_ = absl::Now();
  if (absl::Status status = RemoveLostArtifacts(context_); !status.ok())
    spdlog::warn("artifacts could not be collected: {}", std::string(status.message()));
}

std::vector<std::string> Dispatcher::idle_workers() const {
  std::lock_guard lock(mutex_);
  return idle_workers_;
}

}  // namespace quantd
