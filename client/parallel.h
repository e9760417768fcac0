// The same work on many files, a few at a time.
#pragma once

#include <functional>

#include "absl/status/status.h"

namespace quantd {

// Runs `body(i)` for each i in [0, count) on up to `threads` threads. After an error nothing new begins;
// gives the first error.
absl::Status ParallelFor(int count, int threads, const std::function<absl::Status(int)>& body);

}  // namespace quantd
