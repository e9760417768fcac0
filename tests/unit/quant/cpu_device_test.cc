// What device.h promises of the CPU.
#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "workers/quant/codec_list.h"
#include "workers/quant/cpu_target.h"
#include "workers/quant/device.h"
#include "workers/quant/half.h"

namespace quantd::quant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

WeightRows Rows(const std::vector<float>& weights, int64_t rows = 1) {
  return {WeightType::kF32, weights.data(), rows, static_cast<int64_t>(weights.size()) / rows};
}

class EveryTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { ASSERT_TRUE(SetCpuTarget(GetParam()).ok()); }
};

TEST_P(EveryTarget, AcceptsEveryFiniteWeight) {
  const std::vector<float> weights = {0.0f, -0.0f, std::numeric_limits<float>::max(),
                                      std::numeric_limits<float>::lowest(),
                                      std::numeric_limits<float>::denorm_min()};
  EXPECT_EQ(FirstNonFinite(Rows(weights)), std::nullopt);
  EXPECT_EQ(FirstNonFinite({}), std::nullopt);
}

TEST_P(EveryTarget, FindsTheFirstWeightThatIsNotFinite) {
  for (float bad : {kInfinity, -kInfinity, kNan, -kNan}) {
    for (size_t index : {size_t{0}, size_t{4095}, size_t{4096}, size_t{9999}}) {
      std::vector<float> weights(10000, 1.0f);
      weights[index] = bad;
      EXPECT_EQ(FirstNonFinite(Rows(weights)), index) << bad;
      weights.back() = kNan;
      EXPECT_EQ(FirstNonFinite(Rows(weights)), index) << bad;
    }
  }
  std::vector<uint16_t> bf16(5000, FloatToBf16(1.0f)), f16(5000, FloatToHalf(65504.0f));
  EXPECT_EQ(FirstNonFinite({WeightType::kBf16, bf16.data(), 1, 5000}), std::nullopt);
  EXPECT_EQ(FirstNonFinite({WeightType::kF16, f16.data(), 1, 5000}), std::nullopt);
  bf16[4321] = FloatToBf16(kInfinity);
  f16[1234] = FloatToHalf(kNan);
  EXPECT_EQ(FirstNonFinite({WeightType::kBf16, bf16.data(), 1, 5000}), 4321);
  EXPECT_EQ(FirstNonFinite({WeightType::kF16, f16.data(), 1, 5000}), 1234);
}

// Large tiles are encoded in chunks: the planes must be those of one call. Some rows end inside a block.
TEST_P(EveryTarget, EncodesATileAsTheCodecDoes) {
  constexpr int64_t kRows = 37;
  const std::vector<std::pair<std::string, int64_t>> cases = {{"Q4_K", 2816},
                                                              {"Q8_0", 2816},
                                                              {"MLX_I4_G64_F16", 2816},
                                                              {"ONNX_I4_B32_ASYM_DEFAULT_F16", 2802},
                                                              {"OPENVINO_I8_ROW_ASYM", 2801}};
  const std::unique_ptr<TileEncoder> encoder = *OpenCpuDevice()->NewEncoder();
  for (const auto& [name, columns] : cases) {
    std::vector<float> weights(static_cast<size_t>(kRows * columns));
    for (size_t i = 0; i < weights.size(); ++i)
      weights[i] = static_cast<float>(i * 7919 % 2003) / 1000.0f - 1.0f;
    const Codec* codec = FindCodec(name);
    std::vector<std::vector<std::byte>> expected, found;
    std::vector<std::byte*> to_expected, to_found;
    for (size_t p = 0; p < codec->planes().size(); ++p) {
      expected.emplace_back(static_cast<size_t>(kRows * codec->RowBytes(p, columns)));
      found.emplace_back(expected.back().size());
    }
    for (size_t p = 0; p < expected.size(); ++p) {
      to_expected.push_back(expected[p].data());
      to_found.push_back(found[p].data());
    }
    codec->Encode(Rows(weights, kRows), nullptr, to_expected);
    EncodingError error;
    const TileOutput output{codec, nullptr, to_found, &error};
    const auto bad = encoder->Encode(Rows(weights, kRows), {&output, 1});
    ASSERT_TRUE(bad.ok());
    EXPECT_EQ(*bad, std::nullopt);
    EXPECT_EQ(found, expected) << name;
    EXPECT_GT(error.Relative(), 0.0);
    EXPECT_LT(error.Relative(), 0.1);
  }
}

TEST_P(EveryTarget, TellsTheIndexInTheWholeTile) {
  std::vector<float> weights(64 * 2048, 0.5f);
  weights[63 * 2048 + 5] = kNan;
  const std::unique_ptr<TileEncoder> encoder = *OpenCpuDevice()->NewEncoder();
  const Codec* codec = FindCodec("Q8_0");
  std::vector<std::byte> plane(static_cast<size_t>(64 * codec->RowBytes(0, 2048)));
  std::byte* planes[] = {plane.data()};
  const TileOutput output{codec, nullptr, planes, nullptr};
  EXPECT_EQ(**encoder->Encode(Rows(weights, 64), {&output, 1}), 63 * 2048 + 5);
}

INSTANTIATE_TEST_SUITE_P(CpuTargets, EveryTarget, testing::ValuesIn(CpuTargets()),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace quantd::quant
