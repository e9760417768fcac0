#include "server/engine_registry.h"

#include <set>

#include "absl/time/clock.h"

namespace quantd {
namespace {

constexpr absl::Duration kSilence = absl::Minutes(1);

}  // namespace

void EngineRegistry::Set(const std::string& worker_id, const v1::Engine& engine) {
  const absl::Time now = absl::Now();
  std::lock_guard lock(mutex_);
  latest_ = engine;
  workers_[worker_id] = {engine, now};
  std::erase_if(workers_, [&](const auto& worker) { return worker.second.seen < now - kSilence; });
}

void EngineRegistry::Forget(const std::string& worker_id) {
  std::lock_guard lock(mutex_);
  workers_.erase(worker_id);
}

std::optional<v1::Engine> EngineRegistry::Get() const {
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

std::string EngineRegistry::VersionOf(const std::string& worker_id) const {
  std::lock_guard lock(mutex_);
  const auto found = workers_.find(worker_id);
  return found == workers_.end() ? "" : found->second.engine.version();
}

std::string EngineRegistry::DeviceOf(const std::string& worker_id) const {
  std::lock_guard lock(mutex_);
  const auto worker = workers_.find(worker_id);
  const bool is_known = worker != workers_.end() && worker->second.engine.devices_size() > 0;
  return is_known ? worker->second.engine.devices(0) : "other";
}

}  // namespace quantd
