// Several requests at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <vector>

#include "absl/status/status.h"

namespace quantd::s3 {

// work(0), …, work(count − 1), a few at the same time and in no order; the first error that happened, and no
// new work after it.
inline absl::Status ForEachInParallel(size_t count, const std::function<absl::Status(size_t)>& work) {
  constexpr size_t kThreads = 8;
  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  auto run = [&]() -> absl::Status {
    for (size_t i = next++; i < count && !failed; i = next++) {
      if (absl::Status status = work(i); !status.ok()) {
        failed = true;
        return status;
      }
    }
    return absl::OkStatus();
  };
  std::vector<std::future<absl::Status>> threads;
  for (size_t i = 1; i < std::min(kThreads, count); ++i) threads.push_back(std::async(run));
  absl::Status status = run();
  for (std::future<absl::Status>& thread : threads) status.Update(thread.get());
  return status;
}

}  // namespace quantd::s3
