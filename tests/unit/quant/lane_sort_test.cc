// Sorting in lane code, with one lane: the order of a stable sort.
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "workers/quant/lanes/sort-inl.h"

namespace quantd::quant {
namespace {

template <int N>
void ExpectStableOrder(const std::vector<float>& keys) {
  HWY_NAMESPACE::SortedItems<OneLane, N> items;
  for (int i = 0; i < N; ++i) items.Set(i, keys[static_cast<size_t>(i)], static_cast<float>(100 + i));
  items.Sort();
  std::vector<int> expected(N);
  std::iota(expected.begin(), expected.end(), 0);
  std::stable_sort(expected.begin(), expected.end(),
                   [&](int a, int b) { return keys[static_cast<size_t>(a)] < keys[static_cast<size_t>(b)]; });
  for (int i = 0; i < N; ++i) {
    const int position = expected[static_cast<size_t>(i)];
    ASSERT_EQ(items.Position(i), position) << "rank " << i;
    ASSERT_EQ(items.Key(i), keys[static_cast<size_t>(position)]);
    ASSERT_EQ(items.Weight(i), static_cast<float>(100 + position));
  }
}

// A network of comparisons that sorts all sequences of two values sorts everything.
TEST(LaneSort, EverySequenceOfTwoValues) {
  for (uint32_t bits = 0; bits < 1u << 16; ++bits) {
    std::vector<float> keys;
    for (int i = 0; i < 16; ++i) keys.push_back(static_cast<float>(bits >> i & 1));
    ASSERT_NO_FATAL_FAILURE(ExpectStableOrder<16>(keys)) << bits;
  }
}

TEST(LaneSort, NumbersWithManyEqualOnes) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<float> keys;
    for (int i = 0; i < 32; ++i)
      keys.push_back(static_cast<float>(static_cast<int>(random() % 9) - 4) * 0.25f);
    ASSERT_NO_FATAL_FAILURE(ExpectStableOrder<32>(keys)) << round;
  }
}

TEST(LaneSort, ZerosOfBothSignsAreEqual) {
  std::vector<float> keys(32, 0.0f);
  for (size_t i = 0; i < keys.size(); i += 3) keys[i] = -0.0f;
  ExpectStableOrder<32>(keys);
}

}  // namespace
}  // namespace quantd::quant
