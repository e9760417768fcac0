// The corners of ONNX Runtime's and OpenVINO's integer formats that digests of whole blocks do not show: rows
// that end inside a block, zero points that share bytes, scales of zeros.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "workers/quant/codec_list.h"
#include "workers/quant/codecs/openvino_integers.h"

namespace quantd::quant {
namespace {

using Plane = std::vector<uint8_t>;

std::vector<Plane> Encode(const std::string& name, const std::vector<float>& weights, int64_t rows = 1) {
  const Codec& codec = *FindCodec(name);
  const int64_t columns = static_cast<int64_t>(weights.size()) / rows;
  std::vector<Plane> planes;
  std::vector<std::byte*> to;
  for (size_t p = 0; p < codec.planes().size(); ++p)
    planes.emplace_back(static_cast<size_t>(rows * codec.RowBytes(p, columns)));
  for (Plane& plane : planes) to.push_back(reinterpret_cast<std::byte*>(plane.data()));
  codec.Encode({WeightType::kF32, weights.data(), rows, columns}, nullptr, to);
  return planes;
}

std::vector<float> Decode(const std::string& name, const std::vector<Plane>& planes, int64_t columns) {
  std::vector<const std::byte*> from;
  for (const Plane& plane : planes) from.push_back(reinterpret_cast<const std::byte*>(plane.data()));
  std::vector<float> weights(static_cast<size_t>(columns));
  FindCodec(name)->Decode(from, 1, columns, weights.data());
  return weights;
}

float FloatAt(const Plane& plane, size_t index) {
  float value;
  std::memcpy(&value, plane.data() + index * sizeof(value), sizeof(value));
  return value;
}

TEST(OnnxDefault, LargestMagnitudeIsTheLowestLevel) {
  std::vector<float> weights(16, 0.0f);
  weights[0] = 4.0f;
  weights[1] = -2.0f;
  const auto planes = Encode("ONNX_I4_B16_SYM_DEFAULT_F32", weights);
  EXPECT_EQ(FloatAt(planes[1], 0), -0.5f);
  EXPECT_EQ(planes[0], Plane({0xc0, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88}));
  EXPECT_EQ(Decode("ONNX_I4_B16_SYM_DEFAULT_F32", planes, 16), weights);
}

TEST(OnnxDefault, ABlockOfZerosTakesTheOppositeOfItsFirstSign) {
  std::vector<float> weights(32, 0.0f);
  weights[3] = -0.0f;
  weights[16] = -0.0f;
  const auto planes = Encode("ONNX_I4_B16_SYM_DEFAULT_F32", weights);
  EXPECT_TRUE(std::signbit(FloatAt(planes[1], 0)));
  EXPECT_FALSE(std::signbit(FloatAt(planes[1], 1)));
}

TEST(OnnxDefault, LevelsBehindTheRowAreZeroAndNoRangeSeesThem) {
  const std::vector<float> weights(18, 3.0f);
  const auto planes = Encode("ONNX_I4_B16_ASYM_RTN_F32", weights);
  const auto by_default = Encode("ONNX_I8_B16_SYM_DEFAULT_F32", weights);
  EXPECT_EQ(FloatAt(by_default[1], 1), -3.0f / 128);
  for (size_t i = 18; i < 32; ++i) EXPECT_EQ(by_default[0][i], 0);
  EXPECT_EQ(Decode("ONNX_I8_B16_SYM_DEFAULT_F32", by_default, 18), weights);
  EXPECT_EQ(FloatAt(planes[1], 0), 1.0f) << "a constant block has no range";
  EXPECT_EQ(FloatAt(planes[1], 1), 3.0f / 15) << "rtn sees zeros behind the row";
}

TEST(OnnxZeroPoints, ShareBytesWithinARowOnly) {
  // Zero points 0, 15 and 0 of each row.
  std::vector<float> weights(2 * 48, 15.0f);
  for (size_t row = 0; row < 2; ++row)
    std::fill_n(weights.begin() + static_cast<int64_t>(row) * 48 + 16, 16, -15.0f);
  const auto planes = Encode("ONNX_I4_B16_ASYM_DEFAULT_F32", weights, 2);
  EXPECT_EQ(planes[2], Plane({0xf0, 0x80, 0xf0, 0x80}));
}

TEST(OpenVinoIntegers, SymmetricScalesAreSigned) {
  std::vector<float> weights(32, 0.0f);
  weights[0] = 4.0f;
  weights[1] = -2.0f;
  const auto planes = Encode("OPENVINO_I4_G32_SYM", weights);
  EXPECT_EQ(planes[1], Plane({0x00, 0xb8})) << "-0.5";
  EXPECT_EQ(planes[0][0], 0x48) << "-8 below, 4 above";
  EXPECT_EQ(Decode("OPENVINO_I4_G32_SYM", planes, 32), weights);
}

TEST(OpenVinoIntegers, TheRangeHasZeroAndTheScaleIsNeverZero) {
  const auto constant = Encode("OPENVINO_I8_ROW_ASYM", {51.0f, 51.0f, 51.0f});
  EXPECT_EQ(constant[0], Plane({255, 255, 255}));
  EXPECT_EQ(constant[1], Plane({0x66, 0x32})) << "0.2";
  EXPECT_EQ(constant[2], Plane({0}));
  const auto zeros = Encode("OPENVINO_I8_ROW_ASYM", {0.0f, 0.0f, 0.0f});
  EXPECT_EQ(zeros[1], Plane({0x02, 0x00})) << "2^-23";
}

// Longer than any batch, with the extremes at its ends.
TEST(OpenVinoIntegers, ARowOfAnyLengthIsOneGroup) {
  std::vector<float> weights(5001, 1.0f);
  weights.front() = -128.0f;
  weights.back() = 127.0f;
  const auto planes = Encode("OPENVINO_I8_ROW_SYM", weights);
  EXPECT_EQ(planes[1], Plane({0x00, 0x3c}));
  EXPECT_EQ(Decode("OPENVINO_I8_ROW_SYM", planes, 5001), weights);
}

TEST(OpenVinoIntegers, WhatEightBitsWouldLoseIsTheWorstRowsMean) {
  const std::vector<float> weights = {0.0f, 255.0f, 3.5f, 1.0f, 0.0f, 255.0f, 7.0f, 8.0f};
  EXPECT_EQ(WorstInt8Error({WeightType::kF32, weights.data(), 2, 4}), 0.25 / 4) << "3.5 becomes 4";
  std::vector<float> broken = weights;
  broken[6] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(WorstInt8Error({WeightType::kF32, broken.data(), 2, 4})));
}

// Parts of a row join, whatever its length.
TEST(OpenVinoIntegers, WhatEightBitsWouldLoseIsMeasuredOverTheWholeRow) {
  std::vector<float> weights(5001, 2.5f);
  weights.front() = 0.0f;
  weights.back() = 255.0f;
  EXPECT_DOUBLE_EQ(WorstInt8Error({WeightType::kF32, weights.data(), 1, 5001}), 0.25 * 4999 / 5001);
}

TEST(OpenVinoFloats, ElementsAreTheNearestAndTiesAreEven) {
  std::vector<float> weights(32, 0.0f);
  const float values[] = {6.0f, 5.0f, 3.5f, 2.5f, 1.75f, 1.25f, 0.75f, -0.25f, -5.5f};
  std::copy(std::begin(values), std::end(values), weights.begin());
  const auto planes = Encode("OPENVINO_MXFP4", weights);
  EXPECT_EQ(planes[1], Plane({127})) << "1";
  std::vector<float> decoded = Decode("OPENVINO_MXFP4", planes, 32);
  decoded.resize(std::size(values));
  EXPECT_EQ(decoded, (std::vector<float>{6, 4, 4, 2, 2, 1, 1, 0, -6}));
}

TEST(OpenVinoFloats, ThePowerOfTwoIsNotBelowTheRatio) {
  std::vector<float> weights(32, 0.0f);
  weights[3] = 6.5f;
  EXPECT_EQ(Encode("OPENVINO_MXFP4", weights)[1], Plane({128})) << "2";
  weights[3] = -3.0f;
  EXPECT_EQ(Encode("OPENVINO_MXFP4", weights)[1], Plane({126})) << "1/2";
}

TEST(OpenVinoFloats, TheLargestWeightOfNf4IsOne) {
  std::vector<float> weights(64, 0.1f);
  weights[5] = -4.0f;
  const auto planes = Encode("OPENVINO_NF4_G64", weights);
  EXPECT_EQ(planes[1], Plane({0x00, 0x44})) << "4";
  EXPECT_EQ(Decode("OPENVINO_NF4_G64", planes, 64)[5], -4.0f);
}

}  // namespace
}  // namespace quantd::quant
