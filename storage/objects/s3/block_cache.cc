#include "storage/objects/s3/block_cache.h"

#include <algorithm>
#include <chrono>

namespace quantd::s3 {
namespace {

bool IsFinished(const BlockCache::Block& block) {
  return block.wait_for(std::chrono::seconds(0)) != std::future_status::timeout;
}

}  // namespace

BlockCache::Entry* BlockCache::Find(uint64_t file, uint64_t index) {
  for (Entry& entry : entries_)
    if (entry.file == file && entry.index == index) return &entry;
  return nullptr;
}

bool BlockCache::MakeRoom() {
  while (entries_.size() >= most_blocks_) {
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (IsFinished(entry->block) && (oldest == entries_.end() || entry->last_use < oldest->last_use))
        oldest = entry;
    }
    if (oldest == entries_.end()) return false;
    entries_.erase(oldest);
  }
  return true;
}

// The default launch policy of std::async: on a new thread where the system has one, else by whoever waits.
BlockCache::Block BlockCache::Begin(uint64_t file, uint64_t index, const Fetch& fetch) {
  entries_.push_back({file, index, ++uses_, std::async(fetch).share()});
  return entries_.back().block;
}

BlockCache::Found BlockCache::Get(uint64_t file, uint64_t index, const Fetch& fetch) {
  std::lock_guard lock(mutex_);
  if (Entry* entry = Find(file, index)) {
    entry->last_use = ++uses_;
    return {entry->block, false};
  }
  MakeRoom();
  return {Begin(file, index, fetch), true};
}

void BlockCache::Prefetch(uint64_t file, uint64_t index, const Fetch& fetch) {
  std::lock_guard lock(mutex_);
  if (Find(file, index) == nullptr && MakeRoom()) Begin(file, index, fetch);
}

void BlockCache::Drop(uint64_t file, uint64_t index) {
  std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.file == file && entry.index == index && IsFinished(entry.block);
  });
}

void BlockCache::DropFile(uint64_t file) {
  std::vector<Entry> dropped;  // its destructor waits, after the lock is free again
  std::lock_guard lock(mutex_);
  auto others = std::stable_partition(entries_.begin(), entries_.end(),
                                      [&](const Entry& entry) { return entry.file != file; });
  std::move(others, entries_.end(), std::back_inserter(dropped));
  entries_.erase(others, entries_.end());
}

}  // namespace quantd::s3
