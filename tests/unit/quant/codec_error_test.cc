// How far decoded weights may be from their source. The ranges of RelativeErrorOf are chosen by hand around
// what a type's bits allow: they catch a level, scale or sign in the wrong place, not a search that is a
// little worse. (Equality of the bytes with ggml's and MLX's is the golden test's matter.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "workers/quant/codec_list.h"

namespace quantd::quant {
namespace {

std::vector<float> RoundTrip(const Codec& codec, const std::vector<float>& weights) {
  const int64_t columns = static_cast<int64_t>(weights.size());
  std::vector<std::vector<std::byte>> planes;
  std::vector<std::byte*> to;
  for (size_t p = 0; p < codec.planes().size(); ++p)
    planes.emplace_back(static_cast<size_t>(codec.RowBytes(p, columns)));
  for (auto& plane : planes) to.push_back(plane.data());
  codec.Encode({WeightType::kF32, weights.data(), 1, columns}, nullptr, to);
  std::vector<const std::byte*> from(to.begin(), to.end());
  std::vector<float> decoded(weights.size());
  codec.Decode(from, 1, columns, decoded.data());
  return decoded;
}

// A bell curve, as trained weights are: the sum of four uniform values.
std::vector<float> BellCurve(int64_t count) {
  std::mt19937 random(42);
  std::vector<float> weights(static_cast<size_t>(count));
  for (float& weight : weights) {
    int32_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<int32_t>(random() % 2001) - 1000;
    weight = static_cast<float>(sum) * 2e-5f;
  }
  return weights;
}

double RelativeError(const std::vector<float>& source, const std::vector<float>& decoded) {
  double difference = 0.0, magnitude = 0.0;
  for (size_t i = 0; i < source.size(); ++i) {
    difference += std::pow(static_cast<double>(decoded[i]) - source[i], 2);
    magnitude += std::pow(static_cast<double>(source[i]), 2);
  }
  return std::sqrt(difference / magnitude);
}

// The largest distance of two neighbours in units of the group's range, for `levels` levels over it.
float LargestStepError(const std::vector<float>& source, const std::vector<float>& decoded, size_t group,
                       float levels) {
  float worst = 0.0f;
  for (size_t begin = 0; begin < source.size(); begin += group) {
    const auto [low, high] = std::minmax_element(source.begin() + static_cast<int64_t>(begin),
                                                 source.begin() + static_cast<int64_t>(begin + group));
    const float step = (*high - *low) / (levels - 1.0f);
    for (size_t i = begin; i < begin + group; ++i)
      worst = std::max(worst, std::fabs(decoded[i] - source[i]) / step);
  }
  return worst;
}

struct Bound {
  const char* codec;
  double least;  // a smaller error would mean that the type spends more bits than it has
  double most;
};

class RelativeErrorOf : public testing::TestWithParam<Bound> {};

TEST_P(RelativeErrorOf, LiesWhereItsBitsPutIt) {
  const Bound& bound = GetParam();
  const std::vector<float> weights = BellCurve(64 * 1024);
  const double error = RelativeError(weights, RoundTrip(*FindCodec(bound.codec), weights));
  EXPECT_GE(error, bound.least);
  EXPECT_LE(error, bound.most);
}

INSTANTIATE_TEST_SUITE_P(
    Types, RelativeErrorOf,
    testing::Values(Bound{"F32", 0.0, 0.0}, Bound{"F16", 1e-5, 4e-4}, Bound{"BF16", 1e-4, 3e-3},
                    Bound{"Q8_0", 0.002, 0.008}, Bound{"Q6_K", 0.01, 0.025}, Bound{"Q5_1", 0.02, 0.045},
                    Bound{"Q5_0", 0.025, 0.05}, Bound{"Q5_K", 0.02, 0.045}, Bound{"Q4_1", 0.05, 0.09},
                    Bound{"Q4_0", 0.06, 0.1}, Bound{"Q4_K", 0.05, 0.09}, Bound{"Q3_K", 0.1, 0.19},
                    Bound{"Q2_K", 0.2, 0.35}, Bound{"ONNX_I4_B32_SYM_DEFAULT_F16", 0.06, 0.1},
                    Bound{"ONNX_I4_B32_ASYM_DEFAULT_F16", 0.05, 0.1},
                    Bound{"ONNX_I4_B32_SYM_RTN_F16", 0.06, 0.12},
                    Bound{"ONNX_I4_B32_ASYM_KQUANT_F16", 0.05, 0.09},
                    Bound{"ONNX_I8_B32_SYM_DEFAULT_F16", 0.002, 0.008},
                    Bound{"OPENVINO_I4_G64_SYM", 0.06, 0.12}, Bound{"OPENVINO_I4_G64_ASYM", 0.05, 0.12},
                    Bound{"OPENVINO_I8_ROW_ASYM", 0.002, 0.012}),
    [](const auto& tested) { return std::string(tested.param.codec); });

// A type with more bits is never worse.
TEST(CodecErrors, FallWithTheBits) {
  const std::vector<float> weights = BellCurve(16 * 1024);
  const auto error = [&](const std::string& codec) {
    return RelativeError(weights, RoundTrip(*FindCodec(codec), weights));
  };
  EXPECT_LT(error("Q3_K"), error("Q2_K"));
  EXPECT_LT(error("Q4_K"), error("Q3_K"));
  EXPECT_LT(error("Q5_K"), error("Q4_K"));
  EXPECT_LT(error("Q6_K"), error("Q5_K"));
  EXPECT_LT(error("Q8_0"), error("Q6_K"));
  for (const char* group : {"32", "64", "128"}) {
    double previous = 1.0;
    for (const char* bits : {"2", "3", "4", "5", "6", "8"}) {
      const double now = error(std::string("MLX_I") + bits + "_G" + group + "_F32");
      EXPECT_LT(now, previous) << bits << " bits, group " << group;
      previous = now;
    }
  }
}

// With exact scales an affine level is at most half a step away; the scale's adjustment, which puts zero on a
// level, costs up to another half.
TEST(CodecErrors, OfAffineTypesStayWithinAStep) {
  const std::vector<float> weights = BellCurve(16 * 1024);
  for (int bits : {2, 3, 4, 5, 6, 8}) {
    for (int group : {32, 64, 128}) {
      const std::string name = "MLX_I" + std::to_string(bits) + "_G" + std::to_string(group) + "_F32";
      const std::vector<float> decoded = RoundTrip(*FindCodec(name), weights);
      EXPECT_LE(LargestStepError(weights, decoded, static_cast<size_t>(group), static_cast<float>(1 << bits)),
                1.01f)
          << name;
    }
  }
}

// What a type can represent exactly comes back exactly: whole multiples of a power of two.
TEST(CodecErrors, AreZeroOnTheTypesOwnGrid) {
  std::vector<float> eighths(32), positive(32);
  for (int i = 0; i < 32; ++i) {
    eighths[static_cast<size_t>(i)] = static_cast<float>(i % 16 - 8) / 8.0f;
    positive[static_cast<size_t>(i)] = static_cast<float>(i % 16) / 8.0f;
  }
  EXPECT_EQ(RoundTrip(*FindCodec("Q4_0"), eighths), eighths);
  EXPECT_EQ(RoundTrip(*FindCodec("Q4_1"), positive), positive);
  std::vector<float> bytes(32);
  for (int i = 0; i < 32; ++i) bytes[static_cast<size_t>(i)] = static_cast<float>(i * 7 - 100) / 64.0f;
  bytes[0] = -127.0f / 64.0f;
  EXPECT_EQ(RoundTrip(*FindCodec("Q8_0"), bytes), bytes);
}

}  // namespace
}  // namespace quantd::quant
