#include "storage/objects/s3/block_cache.h"

#include <gtest/gtest.h>

#include <atomic>

namespace quantd::s3 {
namespace {

TEST(BlockCache, KeepsTheBlocksThatWereUsedLast) {
  BlockCache cache(2);
  std::atomic<int> fetches = 0;
  const auto read = [&](uint64_t index) {
    const auto fetch = [&, index]() -> absl::StatusOr<std::string> {
      ++fetches;
      return std::to_string(index);
    };
    return *cache.Get(1, index, fetch).block.get();
  };
  EXPECT_EQ(read(0), "0");
  EXPECT_EQ(read(1), "1");
  EXPECT_EQ(read(0), "0");
  EXPECT_EQ(fetches, 2);
  EXPECT_EQ(read(2), "2");  // in place of 1
  EXPECT_EQ(read(0), "0");
  EXPECT_EQ(fetches, 3);
  EXPECT_EQ(read(1), "1");
  EXPECT_EQ(fetches, 4);
}

TEST(BlockCache, ReadsAheadOnlyWhereThereIsRoom) {
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::atomic<int> fetches = 0;
  BlockCache cache(2);
  const auto wait = [&]() -> absl::StatusOr<std::string> {
    open.wait();
    ++fetches;
    return "x";
  };
  for (uint64_t index = 0; index < 10; ++index) cache.Prefetch(1, index, wait);
  gate.set_value();
  cache.DropFile(1);  // waits
  EXPECT_EQ(fetches, 2);
}

TEST(BlockCache, AFailureIsForgottenWhenItIsDropped) {
  BlockCache cache(2);
  const auto fail = [] { return absl::StatusOr<std::string>(absl::UnavailableError("no")); };
  EXPECT_FALSE(cache.Get(1, 0, fail).block.get().ok());
  EXPECT_FALSE(cache.Get(1, 0, fail).is_new);
  cache.Drop(1, 0);
  EXPECT_TRUE(cache.Get(1, 0, fail).is_new);
}

}  // namespace
}  // namespace quantd::s3
