#include "base/checked_math.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace quantd {
namespace {

TEST(CheckedMath, AddsAndMultipliesInRange) {
  EXPECT_EQ(*CheckedAdd<int64_t>(2, 3), 5);
  EXPECT_EQ(*CheckedMul<uint64_t>(1u << 31, 4), uint64_t{1} << 33);
}

TEST(CheckedMath, RefusesOverflow) {
  EXPECT_EQ(CheckedAdd(std::numeric_limits<int64_t>::max(), int64_t{1}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(CheckedMul(std::numeric_limits<uint64_t>::max(), uint64_t{2}).ok());
}

TEST(ElementCount, IsTheProductAndOneForAScalar) {
  EXPECT_EQ(*ElementCount(std::vector<int64_t>{3, 4, 5}), 60);
  EXPECT_EQ(*ElementCount(std::vector<int64_t>{}), 1);
}

TEST(ElementCount, RefusesNegativeDimensionsAndOverflow) {
  EXPECT_FALSE(ElementCount(std::vector<int64_t>{-1, 4}).ok());
  EXPECT_FALSE(ElementCount(std::vector<int64_t>{int64_t{1} << 40, int64_t{1} << 40}).ok());
}

}  // namespace
}  // namespace quantd
