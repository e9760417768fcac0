// The type in which weights come does not change what is stored: a codec reads F16 and BF16 rows as the
// floats that they are, on every CPU target. Kernels along the row read them without widening first.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "workers/quant/codec_list.h"
#include "workers/quant/cpu_target.h"
#include "workers/quant/half.h"

namespace quantd::quant {
namespace {

std::vector<std::vector<std::byte>> Encode(const Codec& codec, const WeightRows& weights) {
  std::vector<std::vector<std::byte>> planes;
  std::vector<std::byte*> to;
  for (size_t p = 0; p < codec.planes().size(); ++p)
    planes.emplace_back(static_cast<size_t>(weights.rows * codec.RowBytes(p, weights.columns)));
  for (auto& plane : planes) to.push_back(plane.data());
  codec.Encode(weights, nullptr, to);
  return planes;
}

// Weights that F16 and BF16 hold both: few bits, so that magnitudes are often equal; zeros of both signs.
float Weight(std::mt19937& random, int kind) {
  const int level = static_cast<int>(random() % 255) - 127;
  switch (kind) {
    case 0:
      return std::ldexp(static_cast<float>(level), -10);
    case 1:
      return std::ldexp(static_cast<float>(level), -7 - static_cast<int>(random() % 8));
    case 2:
      return level % 2 == 0 ? 0.75f : -0.75f;
    case 3:
      return level % 3 == 0 ? -0.0f : level % 3 == 1 ? 0.0f : std::fabs(static_cast<float>(level));
    case 4:
      return level % 3 == 0 ? -0.0f : level % 3 == 1 ? 0.0f : -std::fabs(static_cast<float>(level));
    case 5:  // F16's smallest numbers, among which scales of that type are coarse
      return std::ldexp(static_cast<float>(level % 9), -24);
    default:
      return level % 2 == 0 ? 0.0f : -0.0f;
  }
}

class CodecSource : public testing::TestWithParam<std::string> {};

TEST_P(CodecSource, StoresTheSameFromEveryTypeOfWeights) {
  constexpr int64_t kRows = 7,
                    kBlocks = 67;  // not a multiple of any number of lanes; a kind of weights a row
  for (const Codec* codec : AllCodecs()) {
    if (codec->importance_use() == ImportanceUse::kRequired) continue;
    SCOPED_TRACE(codec->name());
    const int64_t columns = kBlocks * std::max<int64_t>(codec->weights_per_block(), codec->column_multiple());
    std::mt19937 random(7);
    std::vector<float> floats;
    std::vector<uint16_t> f16, bf16;
    for (int64_t i = 0; i < kRows * columns; ++i) {
      floats.push_back(Weight(random, static_cast<int>(i / columns)));
      f16.push_back(FloatToHalf(floats.back()));
      bf16.push_back(FloatToBf16(floats.back()));
    }
    ASSERT_TRUE(SetCpuTarget("scalar").ok());
    const auto expected = Encode(*codec, {WeightType::kF32, floats.data(), kRows, columns});
    ASSERT_TRUE(SetCpuTarget(GetParam()).ok());
    EXPECT_EQ(Encode(*codec, {WeightType::kF32, floats.data(), kRows, columns}), expected);
    EXPECT_EQ(Encode(*codec, {WeightType::kF16, f16.data(), kRows, columns}), expected);
    EXPECT_EQ(Encode(*codec, {WeightType::kBf16, bf16.data(), kRows, columns}), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(CpuTargets, CodecSource, testing::ValuesIn(CpuTargets()),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace quantd::quant
