// A connection that waits for NOTIFY, with its thread.
#pragma once

#include <string>
#include <thread>

#include "storage/catalogue/database.h"

namespace quantd {

// Connects again whenever the connection breaks, and says each time that messages may have been missed. The
// destructor waits for a call that runs.
class PostgresListener {
 public:
  PostgresListener(std::string url, std::string channel, PublicationListener listener);
  ~PostgresListener();

 private:
  void Run(const std::stop_token& stop);
  // Until the connection breaks or this stops.
  absl::Status ListenOnce(const std::stop_token& stop);
  // Until `descriptor` (or none: -1) is readable, this stops or the time is over (or never: -1).
  void Wait(int descriptor, int milliseconds) const;

  const std::string url_;
  const std::string channel_;
  const PublicationListener listener_;
  const int stopped_;  // an event descriptor, readable from the stop on
  std::jthread thread_;
};

}  // namespace quantd
