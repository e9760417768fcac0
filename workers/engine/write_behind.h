// A file whose writing overlaps with the making of its bytes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "workers/formats/artifact_sink.h"

namespace quantd {

// What a file has in memory: the bytes that are written, and those that come.
inline constexpr size_t kWriteBehindBytes = size_t{2} * (4 << 20);

// Collects what is appended; a thread of its own gives it to `file`, and so digests and stores it. A file
// that fits in half of kWriteBehindBytes needs no thread. An error of the file is told at a later Append or
// at Close. Used by one thread.
class WriteBehind final : public FileSink {
 public:
  explicit WriteBehind(std::unique_ptr<FileSink> file) : file_(std::move(file)) {}

  absl::Status Append(std::span<const std::byte> bytes) override;
  absl::Status Close() override;

 private:
  // Gives the collected bytes to the thread, when it is done with those before.
  absl::Status HandOver();
  void Write(const std::stop_token& stop);

  std::unique_ptr<FileSink> file_;
  std::vector<std::byte> collected_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::byte> written_;  // the thread's, until it empties it
  absl::Status status_;
  std::jthread thread_;  // the last member: it ends before the others
};

}  // namespace quantd
