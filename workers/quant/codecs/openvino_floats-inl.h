// Rows of weights to OpenVINO's 4-bit floats (openvino_floats.h) and back. The arithmetic is NNCF's
// (weight_lowering.py), all in float: true divisions by the scale before it is rounded to be stored. Of
// weights that become zero, E2M1 keeps the sign.
#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "workers/quant/codec.h"
#include "workers/quant/codecs/integer_groups-inl.h"
#include "workers/quant/codecs/openvino_floats.h"
#include "workers/quant/half.h"

#if defined(QUANTD_OPENVINO_FLOATS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_OPENVINO_FLOATS_INL_H_
#undef QUANTD_OPENVINO_FLOATS_INL_H_
#else
#define QUANTD_OPENVINO_FLOATS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

inline constexpr int kFloatElements = 16;

// By code.
inline constexpr float kNf4[kFloatElements] = {
    -1.0f,        -0.69619280f, -0.52507305f, -0.39491749f, -0.28444138f, -0.18477343f, -0.091050036f, 0.0f,
    0.079580300f, 0.16093020f,  0.24611230f,  0.33791524f,  0.44070983f,  0.56261700f,  0.72295684f,   1.0f};
// Where one element's weights end and the next one's begin.
inline constexpr float kNf4Borders[kFloatElements - 1] = {
    -0.84809643f, -0.6106329f,   -0.45999527f, -0.33967942f, -0.2346074f,
    -0.13791174f, -0.045525018f, 0.03979015f,  0.120255254f, 0.20352125f,
    0.29201376f,  0.38931254f,   0.5016634f,   0.6427869f,   0.8614784f};
inline constexpr float kE2M1[kFloatElements] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                                -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
inline constexpr float kLargestE2M1 = 6.0f;
inline constexpr int kE8M0Bias = 127;

QUANTD_LANE uint8_t ToNf4(float value) {
  int code = 0;
  for (float border : kNf4Borders) code += value > border ? 1 : 0;
  return static_cast<uint8_t>(code);
}

// The nearest, ties to even codes: steps of 0.5 up to 2, of 1 up to 4, of 2 up to 6.
QUANTD_LANE uint8_t ToE2M1(float value) {
  const float magnitude = Clamp(std::fabs(value), 0.0f, kLargestE2M1);
  const float fine = magnitude * 2.0f, middle = magnitude, coarse = magnitude * 0.5f;
  const float above_two = magnitude <= 4.0f ? RoundEven(middle) + 2.0f : RoundEven(coarse) + 4.0f;
  const float code = magnitude <= 2.0f ? RoundEven(fine) : above_two;
  const uint32_t sign = std::bit_cast<uint32_t>(value) >> 31;
  return static_cast<uint8_t>(ByteOfRoundEven(code) | sign << 3);
}

class OpenVinoFloatEncoder {
 public:
  OpenVinoFloatEncoder(const OpenVinoFloats& form, const WeightRows& rows, std::span<std::byte* const> planes)
      : form_(form), rows_(rows), planes_(planes) {}

  void Run() {
    const int64_t groups = rows_.rows * (rows_.columns / form_.group);
    const int step = kBatchWeights / form_.group;
    for (int64_t first = 0; first < groups; first += step)
      EncodeGroups(first, static_cast<int>(std::min<int64_t>(step, groups - first)));
  }

 private:
  static constexpr int kBatchWeights = 2048;
  static constexpr float kSmallestScale = 0x1p-23f;

  void EncodeGroups(int64_t first, int count) {
    const int64_t begin = first * form_.group, weights = int64_t{count} * form_.group;
    LoadBatch(rows_, begin, weights, weights_);
    RangesOf(weights_, form_.group, count, ranges_);
    for (int g = 0; g < count; ++g) {
      const float largest = std::max(std::fabs(ranges_.low[g]), std::fabs(ranges_.high[g]));
      const float scale = form_.element == OpenVinoFloats::Element::kNf4
                              ? StoreHalf(first + g, largest)
                              : StorePowerOfTwo(first + g, largest);
      for (int i = g * form_.group; i < (g + 1) * form_.group; ++i) weights_[i] /= scale;
    }
    if (form_.element == OpenVinoFloats::Element::kNf4) {
      for (int64_t i = 0; i < weights; ++i) levels_[i] = ToNf4(weights_[i]);
    } else {
      for (int64_t i = 0; i < weights; ++i) levels_[i] = ToE2M1(weights_[i]);
    }
    PackNibbles(levels_, weights, planes_[0] + begin / 2);
  }

  float StoreHalf(int64_t group, float largest) {
    const float scale = largest < kSmallestScale ? kSmallestScale : largest;
    reinterpret_cast<uint16_t*>(planes_[1])[group] = FloatToHalf(scale);
    return scale;
  }

  // The smallest that is not below the ratio of the largest weight and the largest element; the largest one
  // for weights that are infinite or no numbers.
  float StorePowerOfTwo(int64_t group, float largest) {
    const float scale = std::max(largest, kSmallestScale) / kLargestE2M1;
    const int exponent =
        static_cast<int>(std::min(static_cast<float>(kE8M0Bias), std::ceil(std::log2(scale))));
    reinterpret_cast<uint8_t*>(planes_[1])[group] = static_cast<uint8_t>(exponent + kE8M0Bias);
    return std::ldexp(1.0f, exponent);
  }

  const OpenVinoFloats& form_;
  const WeightRows& rows_;
  const std::span<std::byte* const> planes_;
  alignas(64) float weights_[kBatchWeights];
  alignas(64) uint8_t levels_[kBatchWeights];
  Ranges ranges_;
};

inline float ScaleOf(const OpenVinoFloats& form, const std::byte* scales, int64_t group) {
  if (form.element == OpenVinoFloats::Element::kNf4)
    return HalfToFloat(reinterpret_cast<const uint16_t*>(scales)[group]);
  return std::ldexp(1.0f, static_cast<int>(scales[group]) - kE8M0Bias);
}

inline void DecodeFloatGroup(const float* elements, const std::byte* bytes, int group, float scale,
                             float* weights) {
  for (int i = 0; i < group / 2; ++i) {
    const unsigned pair = static_cast<unsigned>(bytes[i]);
    weights[2 * i] = elements[pair & 15] * scale;
    weights[2 * i + 1] = elements[pair >> 4] * scale;
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
