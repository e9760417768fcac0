#include "workers/engine/write_behind.h"

#include <algorithm>

#include "base/status.h"

namespace quantd {
namespace {

constexpr size_t kChunkBytes = kWriteBehindBytes / 2;

}  // namespace

absl::Status WriteBehind::Append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kChunkBytes - collected_.size()));
    collected_.insert(collected_.end(), part.begin(), part.end());
    bytes = bytes.subspan(part.size());
    if (collected_.size() == kChunkBytes) RETURN_IF_ERROR(HandOver());
  }
  return absl::OkStatus();
}

absl::Status WriteBehind::Close() {
  if (thread_.joinable()) {
    RETURN_IF_ERROR(HandOver());
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return written_.empty(); });
    RETURN_IF_ERROR(status_);
  } else {
    RETURN_IF_ERROR(file_->Append(collected_));
  }
  return file_->Close();
}

absl::Status WriteBehind::HandOver() {
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { Write(stop); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return written_.empty(); });
  RETURN_IF_ERROR(status_);
  std::swap(collected_, written_);
  changed_.notify_all();
  return absl::OkStatus();
}

void WriteBehind::Write(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !written_.empty(); }) && !stop.stop_requested()) {
    lock.unlock();
    const absl::Status status = file_->Append(written_);
    lock.lock();
    status_.Update(status);
    written_.clear();
    changed_.notify_all();
  }
}

}  // namespace quantd
