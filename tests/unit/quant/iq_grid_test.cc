// The grids of the IQ types are llama.cpp's, and their cells know the points that may be nearest.
#include "workers/quant/codecs/iq_grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>
#include <vector>

namespace quantd::quant {
namespace {

struct GridCase {
  IqGridName name;
  int coordinates;
  int level_bits;
  int levels;
  int shells;
  size_t points;
  uint64_t digest;  // FNV-1a of llama.cpp's array kgrid_*, little-endian 16-bit numbers
};

class IqGridTest : public ::testing::TestWithParam<GridCase> {
 protected:
  int LevelOf(int packed, int i) const {
    return packed >> (GetParam().level_bits * i) & ((1 << GetParam().level_bits) - 1);
  }
  int DistanceOf(int a, int b) const {
    int distance = 0;
    for (int i = 0; i < GetParam().coordinates; ++i)
      distance += (LevelOf(a, i) - LevelOf(b, i)) * (LevelOf(a, i) - LevelOf(b, i));
    return distance;
  }
  std::vector<int> ListOf(int32_t cell) const {
    const auto first = grid_.lists.begin() + IqList::First(cell);
    return {first, first + IqList::Count(cell)};
  }
  // Groups whose levels are all the grid's, packed; every seventh, to be quick.
  std::vector<int> SomeGroups() const {
    std::vector<int> groups;
    for (int packed = 0; packed < 1 << (GetParam().coordinates * GetParam().level_bits); packed += 7) {
      bool is_valid = true;
      for (int i = 0; i < GetParam().coordinates; ++i)
        is_valid = is_valid && LevelOf(packed, i) < GetParam().levels;
      if (is_valid) groups.push_back(packed);
    }
    return groups;
  }

  const IqGridArrays& grid_ = IqGridOf(GetParam().name);
};

TEST_P(IqGridTest, PointsAreLlamaCpps) {
  ASSERT_EQ(grid_.points.size(), GetParam().points);
  uint64_t digest = 0xcbf29ce484222325u;
  for (int32_t point : grid_.points) {
    for (int byte : {point & 255, point >> 8})
      digest = (digest ^ static_cast<uint64_t>(byte)) * 0x100000001b3u;
  }
  EXPECT_EQ(digest, GetParam().digest);
}

TEST_P(IqGridTest, TheCellOfAPointIsItsIndex) {
  for (size_t i = 0; i < grid_.points.size(); ++i) {
    const auto packed = static_cast<size_t>(grid_.points[i]);
    EXPECT_EQ(grid_.cells[packed], static_cast<int32_t>(i));
    EXPECT_EQ(grid_.near_cells[packed], static_cast<int32_t>(i));
  }
}

TEST_P(IqGridTest, OtherCellsListTheNearestShells) {
  for (int packed : SomeGroups()) {
    const int32_t cell = grid_.cells[static_cast<size_t>(packed)];
    if (cell >= 0) continue;
    std::vector<std::pair<int, int>> sorted;  // distance, point; indices ascend with packed levels
    for (int32_t point : grid_.points) sorted.emplace_back(DistanceOf(packed, point), point);
    std::sort(sorted.begin(), sorted.end());
    std::vector<int> expected;
    for (size_t i = 0, shells = 0; i < sorted.size(); ++i) {
      if (i == 0 || sorted[i].first != sorted[i - 1].first) ++shells;
      if (shells > static_cast<size_t>(GetParam().shells)) break;
      expected.push_back(sorted[i].second);
    }
    ASSERT_EQ(ListOf(cell), expected) << packed;
  }
}

// Squared distance with the exact arithmetic of small integers: weights lie on quarters of a level.
TEST_P(IqGridTest, TheNearListHasTheFirstOfTheNearest) {
  for (int packed : SomeGroups()) {
    const int32_t cell = grid_.cells[static_cast<size_t>(packed)];
    if (cell >= 0) continue;
    const std::vector<int> all = ListOf(cell);
    const std::vector<int> near = ListOf(grid_.near_cells[static_cast<size_t>(packed)]);
    for (int seed = 0; seed < 8; ++seed) {
      const auto distance = [&](int point) {
        int sum = 0;
        for (int i = 0; i < GetParam().coordinates; ++i) {
          const int quarter = (seed * 5 + i * 3 + seed * i) % 3 - 1, importance = (seed + i * i) % 3;
          const int difference = 4 * LevelOf(point, i) - (4 * LevelOf(packed, i) + quarter);
          sum += importance * difference * difference;
        }
        return sum;
      };
      const auto first_nearest = [&](const std::vector<int>& list) {
        return *std::min_element(list.begin(), list.end(),
                                 [&](int a, int b) { return distance(a) < distance(b); });
      };
      ASSERT_EQ(first_nearest(near), first_nearest(all)) << packed << " seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Grids, IqGridTest,
    ::testing::Values(GridCase{IqGridName::kIq2Xxs, 8, 2, 3, 2, 256, 0x6fca17f5c451905du},
                      GridCase{IqGridName::kIq2Xs, 8, 2, 3, 2, 512, 0x29d6ac8e0e6b14e3u},
                      GridCase{IqGridName::kIq2S, 8, 2, 3, 1, 1024, 0x641f9aa3fbd98694u},
                      GridCase{IqGridName::kIq1, 8, 2, 3, 3, 2048, 0x03f1880817eeffa4u},
                      GridCase{IqGridName::kIq3Xxs, 4, 3, 8, 2, 256, 0x79d733576d562547u},
                      GridCase{IqGridName::kIq3S, 4, 3, 8, 3, 512, 0x55b224116d1e5ca2u}));

}  // namespace
}  // namespace quantd::quant
