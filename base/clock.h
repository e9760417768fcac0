// The time, so that tests can set it.
#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace quantd {

// Safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
};

class SystemClock : public Clock {
 public:
  absl::Time Now() override { return absl::Now(); }
};

}  // namespace quantd
