// Rotary caches: which there are, and their values against the formulas in double.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/unit/models/onnx_checkpoint.h"
#include "workers/models/targets/onnx/rotary_caches.h"

namespace quantd {
namespace {

using testing::ElementsAre;

std::vector<std::string> Names(const std::vector<RotaryCache>& caches) {
  std::vector<std::string> names;
  for (const RotaryCache& cache : caches)
    names.push_back(cache.name + " " + std::to_string(cache.rows) + "x" + std::to_string(cache.columns));
  return names;
}

float At(const RotaryCache& cache, int64_t row, int64_t column) {
  std::vector<float> values(static_cast<size_t>(cache.columns));
  ComputeRotaryRows(cache, row, 1, values.data());
  return values[static_cast<size_t>(column)];
}

class OnnxRotaryTest : public testing::Test {
 protected:
  OnnxRotaryTest() {
    phi3_.Set({{"rope_scaling", LongRopeScaling(8)}});  // 64 of 128 positions are the trained ones
  }
  OnnxCheckpoint llama_{.files = SmallLlama({})};
  OnnxCheckpoint phi3_{.files = SmallPhi3({})};
};

TEST_F(OnnxRotaryTest, OneTableForTheWholeContext) {
  const std::vector<RotaryCache> caches = RotaryCaches(llama_.Read());
  EXPECT_THAT(Names(caches), ElementsAre("cos_cache 128x8", "sin_cache 128x8"));
  const double angle = 100.0 / std::pow(10000.0, 6.0 / 16.0);
  EXPECT_NEAR(At(caches[0], 100, 3), std::cos(angle), 2e-6);
  EXPECT_NEAR(At(caches[1], 100, 3), std::sin(angle), 2e-6);
  EXPECT_EQ(At(caches[0], 0, 0), 1.0f);
  EXPECT_EQ(At(caches[1], 0, 0), 0.0f);
}

TEST_F(OnnxRotaryTest, RowsAreTheSameInAnyTiles) {
  const RotaryCache cache = RotaryCaches(phi3_.Read())[0];
  std::vector<float> all(static_cast<size_t>(cache.rows * cache.columns)), tiled(all.size());
  ComputeRotaryRows(cache, 0, cache.rows, all.data());
  for (int64_t row = 0; row < cache.rows; row += 50)
    ComputeRotaryRows(cache, row, std::min<int64_t>(50, cache.rows - row),
                      &tiled[static_cast<size_t>(row * cache.columns)]);
  EXPECT_EQ(all, tiled);
}

TEST_F(OnnxRotaryTest, APartOfTheHeadIsRotated) {
  phi3_.Set({{"rope_scaling", nullptr}, {"head_dim", 16}, {"partial_rotary_factor", 0.75}});
  phi3_.spec.options = {{"ep", "dml"}};
  const std::vector<RotaryCache> caches = RotaryCaches(phi3_.Read());
  EXPECT_EQ(caches[0].columns, 6);
  EXPECT_NEAR(At(caches[0], 10, 1), std::cos(10.0 / std::pow(10000.0, 2.0 / 12.0)), 1e-6);
}

TEST_F(OnnxRotaryTest, LinearScalingSlowsEveryDimension) {
  llama_.Set({{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}}});
  EXPECT_NEAR(At(RotaryCaches(llama_.Read())[0], 100, 0), std::cos(25.0), 2e-6);
}

TEST_F(OnnxRotaryTest, Llama3ScalingLeavesFastDimensionsAndSlowsSlowOnes) {
  llama_.Set({{"rope_scaling",
               {{"rope_type", "llama3"},
                {"factor", 8.0},
                {"low_freq_factor", 1.0},
                {"high_freq_factor", 4.0},
                {"original_max_position_embeddings", 64}}}});
  const RotaryCache cosines = RotaryCaches(llama_.Read())[0];
  const auto frequency = [](int pair) { return std::pow(10000.0, -2.0 * pair / 16.0); };
  EXPECT_NEAR(At(cosines, 3, 0), std::cos(3.0), 1e-6) << "a wave of 6 positions, shorter than 64 / 4";
  EXPECT_NEAR(At(cosines, 3, 5), std::cos(3.0 * frequency(5) / 8.0), 1e-6) << "one of 1987, longer than 64";
  // Pair 1's wave of 19.9 positions lies between.
  const double smooth = (64.0 * frequency(1) / (2.0 * std::numbers::pi) - 1.0) / 3.0;
  EXPECT_NEAR(At(cosines, 3, 1), std::cos(3.0 * frequency(1) * ((1.0 - smooth) / 8.0 + smooth)), 1e-6);
}

TEST_F(OnnxRotaryTest, LongRopeHasATableForEachRange) {
  const std::vector<RotaryCache> caches = RotaryCaches(phi3_.Read());
  EXPECT_THAT(Names(caches), ElementsAre("cos_cache_large 128x8", "sin_cache_large 128x8",
                                         "cos_cache_small 64x8", "sin_cache_small 64x8"));
  const double magnitude = std::sqrt(1.0 + std::log(2.0) / std::log(64.0));
  const double power = std::pow(10000.0, 4.0 / 16.0);  // pair 2: factors 3 and 1.5
  EXPECT_NEAR(At(caches[0], 60, 2), magnitude * std::cos(60.0 / (3.0 * power)), 2e-6);
  EXPECT_NEAR(At(caches[3], 60, 2), magnitude * std::sin(60.0 / (1.5 * power)), 2e-6);
}

TEST_F(OnnxRotaryTest, TheConfigurationMaySayLongRopesMagnitudes) {
  Json scaling = LongRopeScaling(8);
  scaling["short_mscale"] = 1.25;
  scaling["long_mscale"] = 0;
  phi3_.Set({{"rope_scaling", scaling}});
  const std::vector<RotaryCache> caches = RotaryCaches(phi3_.Read());
  EXPECT_EQ(At(caches[2], 0, 0), 1.25f);
  EXPECT_NEAR(At(caches[0], 0, 0), std::sqrt(1.0 + 1.0 / 6.0), 1e-6) << "zero says nothing";
}

TEST_F(OnnxRotaryTest, WithoutIfTheLargeTableFollowsTheSmallOne) {
  const std::vector<RotaryCache> apart = RotaryCaches(phi3_.Read());
  phi3_.spec.options = {{"ep", "dml"}};
  const std::vector<RotaryCache> joined = RotaryCaches(phi3_.Read());
  EXPECT_THAT(Names(joined), ElementsAre("cos_cache 192x8", "sin_cache 192x8"));
  EXPECT_EQ(At(joined[0], 63, 2), At(apart[2], 63, 2));
  EXPECT_EQ(At(joined[0], 64, 2), At(apart[0], 0, 2));
  EXPECT_EQ(At(joined[1], 191, 2), At(apart[1], 127, 2));
}

TEST_F(OnnxRotaryTest, LongRopeWithinTheTrainedContextIsTheShortTable) {
  phi3_.Set({{"original_max_position_embeddings", 128}});
  const std::vector<RotaryCache> caches = RotaryCaches(phi3_.Read());
  EXPECT_THAT(Names(caches), ElementsAre("cos_cache 128x8", "sin_cache 128x8"));
  EXPECT_NEAR(At(caches[0], 60, 2), std::cos(60.0 / (1.5 * std::pow(10000.0, 0.25))), 2e-6);
}

}  // namespace
}  // namespace quantd
