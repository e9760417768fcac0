#include "workers/quant/rounding.h"

#include <gtest/gtest.h>

#include <limits>

namespace quantd::quant {
namespace {

TEST(NearestInt, RoundsTiesToEven) {
  EXPECT_EQ(NearestInt(0.5f), 0);
  EXPECT_EQ(NearestInt(1.5f), 2);
  EXPECT_EQ(NearestInt(2.5f), 2);
  EXPECT_EQ(NearestInt(-0.5f), 0);
  EXPECT_EQ(NearestInt(-1.5f), -2);
  EXPECT_EQ(NearestInt(-2.5f), -2);
}

TEST(NearestInt, EqualsTheLibraryWhereverItIsDefined) {
  constexpr int kLimit = 1 << 22;
  for (int quarter = -4096; quarter <= 4096; ++quarter) {
    const float value = static_cast<float>(quarter) / 4.0f;
    ASSERT_EQ(NearestInt(value), static_cast<int32_t>(std::nearbyint(value))) << value;
  }
  EXPECT_EQ(NearestInt(static_cast<float>(kLimit - 1)), kLimit - 1);
  EXPECT_EQ(NearestInt(static_cast<float>(1 - kLimit)), 1 - kLimit);
}

TEST(TruncateToInt, CutsTowardsZero) {
  EXPECT_EQ(TruncateToInt(1.9f), 1);
  EXPECT_EQ(TruncateToInt(-1.9f), -1);
  EXPECT_EQ(TruncateToInt(2147483520.0f), 2147483520);
}

TEST(TruncateToInt, GivesTheSmallestIntegerForWhatNoneHolds) {
  EXPECT_EQ(TruncateToInt(2147483648.0f), INT32_MIN);
  EXPECT_EQ(TruncateToInt(-3e9f), INT32_MIN);
  EXPECT_EQ(TruncateToInt(std::numeric_limits<float>::infinity()), INT32_MIN);
  EXPECT_EQ(TruncateToInt(std::numeric_limits<float>::quiet_NaN()), INT32_MIN);
}

TEST(Clamp, KeepsValuesInside) {
  EXPECT_EQ(Clamp(-9, -8, 7), -8);
  EXPECT_EQ(Clamp(3, -8, 7), 3);
  EXPECT_EQ(Clamp(8, -8, 7), 7);
}

}  // namespace
}  // namespace quantd::quant
