#include "client/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace quantd {

absl::Status ParallelFor(int count, int threads, const std::function<absl::Status(int)>& body) {
  std::atomic<int> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  absl::Status first;
  const int started = std::min(count, threads);
  std::vector<std::jthread> running;
  running.reserve(static_cast<size_t>(started));
  for (int t = 0; t < started; ++t) {
    running.emplace_back([&] {
      for (int i = next++; i < count && !failed; i = next++) {
        const absl::Status status = body(i);
        if (status.ok()) continue;
        std::lock_guard lock(mutex);
        first.Update(status);
        failed = true;
      }
    });
  }
  running.clear();
  return first;
}

}  // namespace quantd
