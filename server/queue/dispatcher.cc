#include "server/queue/dispatcher.h"

#include <spdlog/spdlog.h>

#include <chrono>

namespace quantd {
namespace {

// How often leases and deadlines are looked at when nothing wakes the thread.
constexpr std::chrono::milliseconds kTick(250);

}  // namespace

Dispatcher::Dispatcher(ServerContext& context) : context_(context), thread_([this] { Run(); }) {}

Dispatcher::~Dispatcher() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    draining_ = true;
  }
  changed_.notify_all();
  thread_.join();
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
    leases_.clear();
    plans_.clear();
    lock.unlock();
    Expire();
    ServeLeases(leases, draining);
    ServePlans(plans);
    lock.lock();
    leases_.splice(leases_.begin(), leases);
    plans_.splice(plans_.begin(), plans);
    if (stopping && leases_.empty()) break;
  }
  for (PlanWaiter& waiter : plans_) waiter.done(absl::UnavailableError("the server is stopping"));
}

void Dispatcher::ServeLeases(std::list<LeaseWaiter>& waiters, bool draining) {
  for (auto waiter = waiters.begin(); waiter != waiters.end();) {
    absl::StatusOr<std::optional<LeaseRecord>> lease = std::optional<LeaseRecord>();
    const bool gone = waiter->is_cancelled();
    if (!gone && !draining) lease = context_.catalogue.LeaseTask(waiter->kinds, waiter->worker_id);
    const bool over =
        gone || draining || absl::Now() >= waiter->deadline || !lease.ok() || lease->has_value();
    if (!over) {
      ++waiter;
      continue;
    }
    waiter->done(std::move(lease));
    waiter = waiters.erase(waiter);
  }
}

void Dispatcher::ServePlans(std::list<PlanWaiter>& waiters) {
  for (auto waiter = waiters.begin(); waiter != waiters.end();) {
    absl::StatusOr<std::string> plan = context_.catalogue.TakePlan(waiter->task_id);
    if (absl::IsUnavailable(plan.status()) && absl::Now() < waiter->deadline) {
      ++waiter;
      continue;
    }
    waiter->done(std::move(plan));
    waiter = waiters.erase(waiter);
  }
}

void Dispatcher::Expire() {
  absl::StatusOr<int> expired = context_.catalogue.ExpireLeases();
  if (!expired.ok()) {
    spdlog::error("leases could not be checked: {}", std::string(expired.status().message()));
  } else if (*expired > 0) {
    context_.metrics.leases_expired.Increment(*expired);
    spdlog::warn("{} leases ran out: their workers were lost", *expired);
  }
}

}  // namespace quantd
