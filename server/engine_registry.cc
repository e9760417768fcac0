#include "server/engine_registry.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "absl/time/clock.h"

namespace quantd {
namespace {

constexpr absl::Duration kSilence = absl::Minutes(1);
// A third of that, so that one record that fails does no harm.
constexpr absl::Duration kRecordEvery = absl::Seconds(20);
constexpr absl::Duration kRefreshEvery = absl::Seconds(5);
constexpr absl::Duration kRefreshWhileEmpty = absl::Milliseconds(50);

}  // namespace

void EngineRegistry::DropSilent(absl::Time now) {
  std::erase_if(workers_, [&](const auto& worker) { return worker.second.seen < now - kSilence; });
}

void EngineRegistry::Set(const std::string& worker_id, const v1::Engine& engine) {
  const absl::Time now = absl::Now();
  const std::string blob = engine.SerializeAsString();
  {
    std::lock_guard lock(mutex_);
    latest_ = engine;
    latest_seen_ = now;
    Worker& worker = workers_[worker_id];
    const bool known = worker.recorded > now - kRecordEvery && worker.engine.SerializeAsString() == blob;
    worker.engine = engine;
    worker.seen = now;
    DropSilent(now);
    if (known) return;
    worker.recorded = now;
  }
  if (absl::Status status = catalogue_.ReportWorker(worker_id, blob); !status.ok()) {
    spdlog::warn("other servers are not told of the worker {}: {}", worker_id, std::string(status.message()));
    std::lock_guard lock(mutex_);
    if (auto worker = workers_.find(worker_id); worker != workers_.end())
      worker->second.recorded = absl::InfinitePast();
  }
}

void EngineRegistry::Forget(const std::string& worker_id) {
  {
    std::lock_guard lock(mutex_);
    workers_.erase(worker_id);
  }
  if (absl::Status status = catalogue_.ForgetWorker(worker_id); !status.ok())
    spdlog::warn("the worker {} is forgotten in a minute: {}", worker_id, std::string(status.message()));
}

void EngineRegistry::Refresh() {
  const absl::Time now = absl::Now();
  {
    std::lock_guard lock(mutex_);
    if (now - refreshed_ < (workers_.empty() ? kRefreshWhileEmpty : kRefreshEvery)) return;
    refreshed_ = now;
  }
  const absl::StatusOr<std::vector<WorkerRecord>> found = catalogue_.ListWorkers(kSilence);
  // Who asks has more important calls to make, and these tell what is wrong.
  if (!found.ok()) return;
  std::lock_guard lock(mutex_);
  for (const WorkerRecord& record : *found) {
    v1::Engine engine;
    if (!engine.ParseFromString(record.engine_blob)) continue;
    // By this machine's clock, which may differ from the database's.
    const absl::Time seen = now - record.silence;
    if (seen > latest_seen_) {
      latest_ = engine;
      latest_seen_ = seen;
    }
    Worker& worker = workers_[record.id];
    worker.seen = std::max(worker.seen, seen);
    worker.engine = std::move(engine);
  }
  DropSilent(now);
}

std::optional<v1::Engine> EngineRegistry::Get() {
  Refresh();
  std::lock_guard lock(mutex_);
  if (!latest_.has_value() || workers_.empty()) return latest_;
  std::set<std::string> kinds, names;
  for (const auto& [id, worker] : workers_) {
    kinds.insert(worker.engine.devices().begin(), worker.engine.devices().end());
    names.insert(worker.engine.device_names().begin(), worker.engine.device_names().end());
  }
  v1::Engine engine = *latest_;
  engine.mutable_devices()->Assign(kinds.begin(), kinds.end());
  engine.mutable_device_names()->Assign(names.begin(), names.end());
  return engine;
}

std::string EngineRegistry::VersionOf(const std::string& worker_id) {
  Refresh();
  std::lock_guard lock(mutex_);
  const auto found = workers_.find(worker_id);
  return found == workers_.end() ? "" : found->second.engine.version();
}

std::string EngineRegistry::DeviceOf(const std::string& worker_id) {
  Refresh();
  std::lock_guard lock(mutex_);
  const auto worker = workers_.find(worker_id);
  const bool is_known = worker != workers_.end() && worker->second.engine.devices_size() > 0;
  return is_known ? worker->second.engine.devices(0) : "other";
}

}  // namespace quantd
