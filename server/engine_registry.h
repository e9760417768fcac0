// What the workers said they can do, to this server or to another that shares the catalogue.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "quantd/v1/capability_service.pb.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {

// Thread-safe. Workers come again every few seconds, also while they run a job; one that has been silent for
// a minute is gone.
class EngineRegistry {
 public:
  // `catalogue` outlives this.
  explicit EngineRegistry(Catalogue& catalogue) : catalogue_(catalogue) {}

  // The worker reports to this server.
  void Set(const std::string& worker_id, const v1::Engine& engine);
  void Forget(const std::string& worker_id);

  // The latest engine, with the devices of all workers that are there. Nothing before the first has reported.
  // What was told to other servers is known here within 5 s, or at once while nothing is known.
  std::optional<v1::Engine> Get();
  // The engine's version of the worker; empty of one that is not there.
  std::string VersionOf(const std::string& worker_id);
  // The kind of device that the worker prefers; "other" of one that is not there.
  std::string DeviceOf(const std::string& worker_id);

 private:
  struct Worker {
    v1::Engine engine;
    absl::Time seen;
    absl::Time recorded = absl::InfinitePast();  // in the catalogue, by this server
  };
  // Reads what the catalogue has, unless that was done a moment ago.
  void Refresh();
  // Under the lock.
  void DropSilent(absl::Time now);

  Catalogue& catalogue_;
  std::mutex mutex_;
  std::optional<v1::Engine> latest_;
  absl::Time latest_seen_ = absl::InfinitePast();
  std::map<std::string, Worker> workers_;
  absl::Time refreshed_ = absl::InfinitePast();
};

}  // namespace quantd
