// How far a transfer or a job is.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "absl/time/time.h"

namespace quantd {

// "uploading  42% 1.2 GiB of 3.0 GiB, 103.1 MiB/s, 18 s left". `moved` bytes took `elapsed`; rate and time
// left are told once there is something to tell them from.
std::string ProgressText(const std::string& what, int64_t done, int64_t total, int64_t moved,
                         absl::Duration elapsed);

// One line on stderr: on a terminal it is written over a few times a second, in a pipe a new one follows
// whenever a tenth is passed. Thread-safe.
class ProgressLine {
 public:
  ProgressLine();
  // Leaves the last line on the terminal.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Begins counting towards `total`; of that, `done` is there already and does not count for the rate.
  void Begin(const std::string& what, int64_t done, int64_t total);
  void Add(int64_t more);
  // Begin when `what` or `total` is new, then Add up to `done`.
  void Set(const std::string& what, int64_t done, int64_t total);

 private:
  void Show();

  const bool terminal_;
  std::mutex mutex_;
  bool shown_ = false;
  std::string what_;
  int64_t done_ = 0;
  int64_t total_ = 0;
  int64_t begin_done_ = 0;
  int64_t last_tenth_ = -1;
  absl::Time begin_;
  absl::Time last_shown_ = absl::InfinitePast();
};

}  // namespace quantd
