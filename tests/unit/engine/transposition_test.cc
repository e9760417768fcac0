#include "workers/engine/transposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

namespace quantd {
namespace {

using testing::ElementsAre;

// rows * columns elements, counted from `first`.
template <typename Element>
std::vector<std::byte> Counting(Element first, int64_t count) {
  std::vector<Element> elements(static_cast<size_t>(count));
  std::iota(elements.begin(), elements.end(), first);
  std::vector<std::byte> bytes(elements.size() * sizeof(Element));
  std::memcpy(bytes.data(), elements.data(), bytes.size());
  return bytes;
}

template <typename Element>
std::vector<Element> Elements(const std::vector<std::byte>& bytes) {
  std::vector<Element> elements(bytes.size() / sizeof(Element));
  std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

TEST(TransposeRows, TakesElementsOfTwoAndOfFourBytes) {
  std::vector<std::byte> transposed;
  TransposeRows(Counting<uint16_t>(0, 6), 2, 3, transposed);
  EXPECT_THAT(Elements<uint16_t>(transposed), ElementsAre(0, 3, 1, 4, 2, 5));
  TransposeRows(Counting<uint32_t>(0, 6), 3, 2, transposed);
  EXPECT_THAT(Elements<uint32_t>(transposed), ElementsAre(0, 2, 4, 1, 3, 5));
}

// Several bands, tiles of different heights, dimensions that no square divides.
TEST(Transposition, EqualsTheTranspositionOfTheWhole) {
  constexpr int64_t kColumns = 3001, kTiles = 5;
  const std::vector<int64_t> heights = {700, 700, 33, 1, 566};
  const int64_t rows = std::accumulate(heights.begin(), heights.end(), int64_t{0});
  ASSERT_GT(rows * kColumns * 4, kTransposedBandBytes);
  auto transposition = Transposition::Begin(kColumns);
  ASSERT_TRUE(transposition.ok()) << transposition.status();
  int64_t first = 0;
  for (int64_t tile = 0; tile < kTiles; ++tile) {
    const int64_t height = heights[static_cast<size_t>(tile)];
    std::vector<std::byte> transposed;
    TransposeRows(Counting(static_cast<uint32_t>(first), height * kColumns), height, kColumns, transposed);
    ASSERT_TRUE(transposition->Add(transposed, height).ok());
    first += height * kColumns;
  }
  std::vector<std::byte> emitted;
  int bands = 0;
  ASSERT_TRUE(transposition
                  ->Emit([&](std::span<const std::byte> band) {
                    EXPECT_LE(band.size(), static_cast<size_t>(kTransposedBandBytes));
                    emitted.insert(emitted.end(), band.begin(), band.end());
                    ++bands;
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_GT(bands, 1);
  std::vector<std::byte> whole;
  TransposeRows(Counting(uint32_t{0}, rows * kColumns), rows, kColumns, whole);
  EXPECT_TRUE(emitted == whole);
}

TEST(Transposition, EndsWithTheErrorOfWhatTakesTheColumns) {
  auto transposition = Transposition::Begin(2);
  ASSERT_TRUE(transposition.ok());
  ASSERT_TRUE(transposition->Add(Counting<uint16_t>(0, 4), 2).ok());
  const absl::Status full = absl::ResourceExhaustedError("full");
  EXPECT_EQ(transposition->Emit([&](std::span<const std::byte>) { return full; }), full);
}

}  // namespace
}  // namespace quantd
