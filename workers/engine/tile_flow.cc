#include "workers/engine/tile_flow.h"

#include <utility>

namespace quantd {

bool TileFlow::Reserve() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_ || in_flight_ < most_; });
  if (ended_) return false;
  ++in_flight_;
  return true;
}

void TileFlow::Push(RawTile tile) {
  std::lock_guard lock(mutex_);
  raw_.push_back(std::move(tile));
  changed_.notify_all();
}

std::optional<RawTile> TileFlow::TakeRaw() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_ || !raw_.empty() || all_pushed_; });
  if (ended_ || raw_.empty()) return std::nullopt;
  RawTile tile = std::move(raw_.front());
  raw_.pop_front();
  return tile;
}

void TileFlow::PutFinished(int64_t sequence, FinishedTile tile) {
  std::lock_guard lock(mutex_);
  finished_[sequence] = std::move(tile);
  changed_.notify_all();
}

std::optional<FinishedTile> TileFlow::TakeFinished() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock,
                [&] { return ended_ || finished_.count(next_) > 0 || (all_pushed_ && next_ == total_); });
  if (ended_ || finished_.count(next_) == 0) return std::nullopt;
  FinishedTile tile = std::move(finished_.extract(next_++).mapped());
  return tile;
}

void TileFlow::Release(FinishedTile tile) {
  std::lock_guard lock(mutex_);
  --in_flight_;
  used_tiles_.push_back(std::move(tile));
  changed_.notify_all();
}

FinishedTile TileFlow::UsedTile() {
  std::lock_guard lock(mutex_);
  if (used_tiles_.empty()) return {};
  FinishedTile tile = std::move(used_tiles_.back());
  used_tiles_.pop_back();
  return tile;
}

std::unique_ptr<quant::HostBuffer> TileFlow::UsedBuffer() {
  std::lock_guard lock(mutex_);
  if (used_buffers_.empty()) return nullptr;
  std::unique_ptr<quant::HostBuffer> buffer = std::move(used_buffers_.back());
  used_buffers_.pop_back();
  return buffer;
}

void TileFlow::GiveBack(std::unique_ptr<quant::HostBuffer> buffer) {
  std::lock_guard lock(mutex_);
  used_buffers_.push_back(std::move(buffer));
}

void TileFlow::AllPushed(int64_t total) {
  std::lock_guard lock(mutex_);
  all_pushed_ = true;
  total_ = total;
  changed_.notify_all();
}

void TileFlow::Fail(absl::Status status) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  ended_ = true;
  status_ = std::move(status);
  changed_.notify_all();
}

absl::Status TileFlow::status() {
  std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace quantd
