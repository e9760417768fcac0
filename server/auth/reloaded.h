// What was read from files, and is read again when they change. A file that has become wrong changes nothing.
#pragma once

#include <spdlog/spdlog.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status.h"

namespace quantd {

// Device, file, size and time of the last change: what differs when a file was replaced or written to. All
// zero where there is none.
using FileMark = std::tuple<uint64_t, uint64_t, int64_t, int64_t, int64_t>;
std::vector<FileMark> MarksOf(const std::vector<std::string>& paths);

// T has a member `files`, the paths that it was read from. Thread-safe.
template <typename T>
class Reloaded {
 public:
  using Load = std::function<absl::StatusOr<T>()>;

  // Reads for the first time. `what` begins the messages in the log.
  static absl::StatusOr<std::unique_ptr<Reloaded>> Open(std::string what, Load load) {
    std::unique_ptr<Reloaded> out(new Reloaded(std::move(what), std::move(load)));
    RETURN_IF_ERROR(out->Read());
    return out;
  }

  std::shared_ptr<const T> Get() const {
    std::lock_guard lock(mutex_);
    return value_;
  }

  // Looks whether the files have changed. An error is logged, once, and what was read before stays in force.
  // Called by one thread.
  void Refresh() {
    if (error_.empty() && MarksOf(value_->files) == marks_) return;
    const absl::Status status = Read();
    if (status.ok()) {
      spdlog::info("{}: read again", what_);
    } else if (error_ != status.message()) {
      spdlog::error("{}: what was read before stays in force: {}", what_, std::string(status.message()));
    }
    error_ = std::string(status.message());
  }

 private:
  Reloaded(std::string what, Load load) : what_(std::move(what)), load_(std::move(load)) {}

  absl::Status Read() {
    // Marks of before: a change while the files are read makes for one more reading.
    std::vector<FileMark> marks = value_ == nullptr ? std::vector<FileMark>() : MarksOf(value_->files);
    ASSIGN_OR_RETURN(T value, load_());
    if (value_ == nullptr || value_->files != value.files) marks = MarksOf(value.files);
    marks_ = std::move(marks);
    auto shared = std::make_shared<const T>(std::move(value));
    std::lock_guard lock(mutex_);
    value_ = std::move(shared);
    return absl::OkStatus();
  }

  const std::string what_;
  const Load load_;
  std::vector<FileMark> marks_;
  std::string error_;  // of the last reading
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace quantd
