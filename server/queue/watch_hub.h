// Who watches which job.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

namespace quantd {

// Woken when its job has a new event. Wake is called from any thread and must not block or call the hub.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void Wake() = 0;
  // The server is stopping: ends the stream, under the same rules.
  virtual void Stop() = 0;
};

// Thread-safe. A watcher is removed before it is destroyed.
class WatchHub {
 public:
  void Add(const std::string& job_id, Watcher* watcher) {
    std::lock_guard lock(mutex_);
    watchers_[job_id].insert(watcher);
    if (stopped_) watcher->Stop();
  }

  void Remove(const std::string& job_id, Watcher* watcher) {
    std::lock_guard lock(mutex_);
    auto found = watchers_.find(job_id);
    if (found == watchers_.end()) return;
    found->second.erase(watcher);
    if (found->second.empty()) watchers_.erase(found);
  }

  void Notify(const std::string& job_id) {
    std::lock_guard lock(mutex_);
    auto found = watchers_.find(job_id);
    if (found == watchers_.end()) return;
    for (Watcher* watcher : found->second) watcher->Wake();
  }

  void NotifyAll() {
    std::lock_guard lock(mutex_);
    for (auto& [job, watchers] : watchers_) {
      for (Watcher* watcher : watchers) watcher->Wake();
    }
  }

  // Stops all watchers, and those that come later at once.
  void StopAll() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    for (auto& [job, watchers] : watchers_) {
      for (Watcher* watcher : watchers) watcher->Stop();
    }
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::set<Watcher*>> watchers_;
  bool stopped_ = false;
};

}  // namespace quantd
