#include "workers/quant/finite.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace quantd::quant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(FirstNonFinite, AcceptsEveryFiniteValue) {
  const std::vector<float> weights = {0.0f, -0.0f, std::numeric_limits<float>::max(),
                                      std::numeric_limits<float>::lowest(),
                                      std::numeric_limits<float>::denorm_min()};
  EXPECT_EQ(FirstNonFinite(weights), std::nullopt);
  EXPECT_EQ(FirstNonFinite({}), std::nullopt);
}

TEST(FirstNonFinite, FindsTheFirstOfSeveral) {
  for (float bad : {kInfinity, -kInfinity, kNan, -kNan}) {
    // Both sides of a chunk's edge, and the last, incomplete chunk.
    for (size_t index : {size_t{0}, size_t{4095}, size_t{4096}, size_t{9999}}) {
      std::vector<float> weights(10000, 1.0f);
      weights[index] = bad;
      EXPECT_EQ(FirstNonFinite(weights), index) << bad;
      weights.back() = kNan;
      EXPECT_EQ(FirstNonFinite(weights), index) << bad;
    }
  }
}

}  // namespace
}  // namespace quantd::quant
