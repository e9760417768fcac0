#include "storage/objects/s3/reader.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd::s3 {
namespace {

// Blocks that are fetched ahead of a reader that goes through the object.
constexpr uint64_t kBlocksAhead = 3;

class Reader final : public RandomAccessFile {
 public:
  Reader(Client& client, BlockCache& cache, std::string key, ObjectState state)
      : client_(client), cache_(cache), key_(std::move(key)), state_(std::move(state)), id_(NextId()) {}
  ~Reader() override {
    closed_ = true;
    cache_.DropFile(id_);
  }

  uint64_t size() const override { return state_.size; }

  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset)
      return absl::OutOfRangeError(absl::StrCat(key_, " has ", size(), " bytes"));
    while (!out.empty()) {
      const uint64_t index = offset / kBlockBytes;
      const uint64_t begin = offset % kBlockBytes;
      const size_t count = std::min<uint64_t>(out.size(), kBlockBytes - begin);
      Foresee(index, offset + out.size());
      ASSIGN_OR_RETURN(BlockCache::Block block, FetchBlock(index));
      std::memcpy(out.data(), block.get()->data() + begin, count);
      offset += count;
      out = out.subspan(count);
    }
    return absl::OkStatus();
  }

  void WillRead(uint64_t offset, uint64_t length) const override {
    if (offset >= size() || length == 0) return;
    const uint64_t end = offset + std::min(length, size() - offset);
    for (uint64_t index = offset / kBlockBytes; index * kBlockBytes < end; ++index)
      cache_.Prefetch(id_, index, FetchOf(index));
  }

 private:
  static uint64_t NextId() {
    static std::atomic<uint64_t> last = 0;
    return ++last;
  }

  BlockCache::Fetch FetchOf(uint64_t index) const {
    return [this, index] {
      const uint64_t offset = index * kBlockBytes;
      return client_.Get(key_, state_, offset, std::min(kBlockBytes, size() - offset), &closed_);
    };
  }

  // Begins what a read of block `index` up to byte `end` will need next.
  void Foresee(uint64_t index, uint64_t end) const {
    const bool goes_on = previous_.exchange(index) + 1 == index;
    for (uint64_t next = index + 1; next <= index + kBlocksAhead && next * kBlockBytes < size(); ++next)
      if (goes_on || next * kBlockBytes < end) cache_.Prefetch(id_, next, FetchOf(next));
  }

  // A block that holds its bytes. One that was fetched ahead may have failed for a reason that has gone.
  absl::StatusOr<BlockCache::Block> FetchBlock(uint64_t index) const {
    for (;;) {
      BlockCache::Found found = cache_.Get(id_, index, FetchOf(index));
      if (found.block.get().ok()) return found.block;
      cache_.Drop(id_, index);
      if (found.is_new) return found.block.get().status();
    }
  }

  Client& client_;
  BlockCache& cache_;
  const std::string key_;
  const ObjectState state_;
  const uint64_t id_;
  std::atomic<bool> closed_ = false;
  // The last block that was read; no block comes after the first value.
  mutable std::atomic<uint64_t> previous_ = UINT64_MAX - 1;
};

}  // namespace

std::unique_ptr<RandomAccessFile> OpenReader(Client& client, BlockCache& cache, std::string key,
                                             ObjectState state) {
  return std::make_unique<Reader>(client, cache, std::move(key), std::move(state));
}

}  // namespace quantd::s3
