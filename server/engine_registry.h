// What the workers said they can do.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "quantd/v1/capability_service.pb.h"

namespace quantd {

// Thread-safe.
class EngineRegistry {
 public:
  // Workers come again every few seconds, also while they run a job; one that has been silent for a minute is
  // gone.
  void Set(const std::string& worker_id, const v1::Engine& engine);
  void Forget(const std::string& worker_id);

  // The latest engine, with the devices of all workers that are there. Nothing before the first has reported.
  std::optional<v1::Engine> Get() const;
  // The engine's version of the worker; empty of one that is not there.
  std::string VersionOf(const std::string& worker_id) const;
  // The kind of device that the worker prefers; "other" of one that is not there.
  std::string DeviceOf(const std::string& worker_id) const;

 private:
  struct Worker {
    v1::Engine engine;
    absl::Time seen;
  };

  mutable std::mutex mutex_;
  std::optional<v1::Engine> latest_;
  std::map<std::string, Worker> workers_;
};

}  // namespace quantd
