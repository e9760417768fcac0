// Blocks of open objects, fetched on threads of their own: what is read ahead, and what was just read.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quantd::s3 {

// Shared by all open files of a store, so that memory is bounded whatever their number. Safe for concurrent
// use.
class BlockCache {
 public:
  using Block = std::shared_future<absl::StatusOr<std::string>>;
  using Fetch = std::function<absl::StatusOr<std::string>()>;

  explicit BlockCache(size_t most_blocks) : most_blocks_(most_blocks) {}

  struct Found {
    Block block;
    bool is_new;  // this call began to fetch it
  };
  // Block `index` of an open file; `fetch` is begun when it is not there. That may go over most_blocks for a
  // moment: as many blocks as there are callers.
  Found Get(uint64_t file, uint64_t index, const Fetch& fetch);
  // Begins to fetch that block unless it is there, or all room is taken by blocks that are on their way.
  void Prefetch(uint64_t file, uint64_t index, const Fetch& fetch);
  // Forgets one block: it failed.
  void Drop(uint64_t file, uint64_t index);
  // Forgets a file that is closed; waits for what is on its way.
  void DropFile(uint64_t file);

 private:
  struct Entry {
    uint64_t file;
    uint64_t index;
    uint64_t last_use;
    Block block;
  };
  Entry* Find(uint64_t file, uint64_t index);
  // Drops finished blocks, those not used for longest first, until there is room for one. False when there
  // isn't.
  bool MakeRoom();
  Block Begin(uint64_t file, uint64_t index, const Fetch& fetch);

  const size_t most_blocks_;
  std::mutex mutex_;
  uint64_t uses_ = 0;           // guarded by mutex_, as the rest
  std::vector<Entry> entries_;  // a few: searched in order
};

}  // namespace quantd::s3
