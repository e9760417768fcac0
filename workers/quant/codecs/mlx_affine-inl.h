// MLX's affine quantization (mlx/backend/cpu/quantized.cpp is the reference): groups of 32, 64 or 128 weights
// of a row share a scale and a bias, weight ≈ scale * level + bias. All arithmetic is in float; only what is
// stored is narrowed to the model's type.
//
// Scales and biases are found for as many groups at once as there are lanes, a group in each; levels along
// the row.
#include <algorithm>
#include <cstdint>
#include <span>

#include "workers/quant/codecs/mlx_levels-inl.h"
#include "workers/quant/codecs/mlx_stored-inl.h"
#include "workers/quant/lanes/even_odd-inl.h"

#if defined(QUANTD_MLX_AFFINE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_MLX_AFFINE_INL_H_
#undef QUANTD_MLX_AFFINE_INL_H_
#else
#define QUANTD_MLX_AFFINE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class L>
struct AffineFit {
  typename L::Float scale, bias;
};

// The bias is the edge of the range with the larger magnitude, and the scale is adjusted so that zero falls
// on a level.
template <class L>
QUANTD_LANE AffineFit<L> FitAffine(typename L::Float low, typename L::Float high, int top_level) {
  using Float = typename L::Float;
  const auto from_low = L::Abs(low) > L::Abs(high);
  const Float width = L::Max((high - low) / Float(static_cast<float>(top_level)), Float(1e-7f));
  const Float scale = L::Select(from_low, width, -width);
  const Float edge = L::Select(from_low, low, high);
  const Float levels_to_zero = L::Round(edge / scale);
  const auto is_zero = levels_to_zero == Float(0.0f);
  return {L::Select(is_zero, scale, edge / levels_to_zero), L::Select(is_zero, Float(0.0f), edge)};
}

template <int kBits>
class AffineEncoder {
 public:
  AffineEncoder(int group, WeightType stored, std::span<std::byte* const> planes)
      : group_(group), stored_(stored), packed_(planes[0]), scales_(planes[1]), biases_(planes[2]) {}

  // Groups that follow each other in memory.
  template <WeightType kType>
  void Run(const void* weights, int64_t groups) {
    for (int64_t first = 0; first < groups; first += kLanes) {
      const int count = static_cast<int>(std::min<int64_t>(kLanes, groups - first));
      Fit<kType>(weights, first, count);
      for (int g = 0; g < count; ++g) {
        const int64_t begin = (first + g) * group_;
        WriteLevels<kType>(weights, begin, g, packed_ + begin / 8 * kBits);
      }
    }
  }

 private:
  using L = Lanes;
  using Float = L::Float;
  using Int = L::Int;
  static constexpr int kLanes = L::kCount;
  static constexpr int kTop = (1 << kBits) - 1;

  template <WeightType kType>
  void Fit(const void* weights, int64_t first, int count) {
    alignas(64) float lowest[kLanes] = {}, highest[kLanes] = {};
    for (int g = 0; g < count; ++g) {
      const int64_t begin = (first + g) * group_;
      Float low = LoadRow<kType>(weights, begin), high = low;
      for (int i = kLanes; i < group_; i += kLanes) {
        const Float x = LoadRow<kType>(weights, begin + i);
        low = Smaller(x, low);
        high = Larger(x, high);
      }
      StoreLargestOfBoth(-low, high, lowest + g, highest + g);
    }
    const AffineFit<L> fit = FitAffine<L>(-L::Load(lowest), L::Load(highest), kTop);
    L::Store(fit.scale, scale_);
    L::Store(fit.bias, bias_);
    L::Store(Float(static_cast<float>(1 << kBelow)) / fit.scale, inverse_);
    const int64_t at = first * BytesOf(stored_);
    StoreNarrowed(stored_, fit.scale, count, scales_ + at);
    StoreNarrowed(stored_, fit.bias, count, biases_ + at);
  }

  // Level = round((weight - bias) / scale), by true division, as MLX does. No level is negative, because the
  // scale's sign points from the bias to the other edge of the range, and none is so large that adding 1.5 *
  // 2^23 would not round it: the integer is in the sum's last bits.
  template <WeightType kType>
  void WriteByDivision(const void* weights, int64_t begin, int g, std::byte* packed) const {
    const Float bias(bias_[g]), scale(scale_[g]), round(0x1.8p+23f);
    const Int largest = L::Bits(Float(0x1.8p+23f + static_cast<float>(kTop)));
    LevelWriter<kBits> writer(packed);
    for (int i = 0; i < group_; i += kLanes) {
      const Int level = L::Bits((LoadRow<kType>(weights, begin + i) - bias) / scale + round);
      writer.Put(i, L::Min(level, largest) & Int(kTop));
    }
    writer.Finish(group_);
  }

  // Multiplying by the scale's inverse is faster than dividing, and rounds to the same level unless the
  // quotient is next to the middle between two. So levels are computed in fixed point, and the bits below
  // tell. What is added to the product lifts it above 2^23, where a float's last bit is 1, and the middle to
  // kDoubt / 2. The rounding of inverse, product, sum and quotient is less than 1.3 together for levels below
  // 2^(22 - kBelow); larger ones are cut to kTop either way.
  static constexpr int kBelow = kBits == 8 ? 14 : 16;
  static constexpr int kDoubt = 4;

#if HWY_TARGET != HWY_SCALAR
  // False, with some levels written, where one is in doubt.
  template <WeightType kType, int kSteps>
  QUANTD_LANE bool WriteByInverse(const void* weights, int64_t begin, int g, std::byte* packed) const {
    const OrderedTag tag;
    const Float bias(bias_[g]), inverse(inverse_[g]);
    const Float lift(static_cast<float>((1 << 23) + (1 << (kBelow - 1)) + kDoubt / 2));
    constexpr uint16_t kBase = (0x4b000000 >> kBelow) & 0xffff;  // what is left of the exponent of 2^23
    const Ordered largest = hn::Set(tag, kBase + kTop), top = hn::Set(tag, kTop);
    Ordered nearest = hn::Set(tag, 0xffff);
    LevelWriter<kBits> writer(packed);
    for (int i = 0; i < group_; i += kSteps * kLanes) {
      // Step by step for all, not one after the other: a processor does not look as far ahead as a chain is
      // long.
      Float scaled[kSteps];
      for (int s = 0; s < kSteps; ++s) scaled[s] = LoadRow<kType>(weights, begin + i + s * kLanes) - bias;
      for (int s = 0; s < kSteps; ++s) scaled[s] = scaled[s] * inverse;
      for (int s = 0; s < kSteps; ++s) scaled[s] = scaled[s] + lift;
      for (int s = 0; s < kSteps; ++s) {
        Ordered below = OrderedBits<0>(L::Bits(scaled[s]));
        if constexpr (kBelow < 16) below = hn::And(below, hn::Set(tag, (1 << kBelow) - 1));
        nearest = hn::Min(nearest, below);
      }
      Ordered levels[kSteps];
      for (int s = 0; s < kSteps; ++s) levels[s] = OrderedBits<kBelow>(L::Bits(scaled[s]));
      for (int s = 0; s < kSteps; ++s) levels[s] = hn::And(hn::Min(levels[s], largest), top);
      for (int s = 0; s < kSteps; ++s) writer.Put(i + s * kLanes, levels[s]);
    }
    const Ordered doubt = hn::SaturatedSub(nearest, hn::Set(tag, kDoubt));
    if (!hn::AllFalse(tag, hn::Eq(doubt, hn::Zero(tag)))) return false;
    writer.Finish(group_);
    return true;
  }
#endif

  template <WeightType kType>
  QUANTD_LANE void WriteLevels(const void* weights, int64_t begin, int g, std::byte* packed) const {
#if HWY_TARGET != HWY_SCALAR
    const bool done = group_ >= 2 * kLanes ? WriteByInverse<kType, 2>(weights, begin, g, packed)
                                           : WriteByInverse<kType, 1>(weights, begin, g, packed);
    if (done) return;
#endif
    WriteByDivision<kType>(weights, begin, g, packed);
  }

  const int group_;
  const WeightType stored_;
  std::byte* const packed_;
  std::byte* const scales_;
  std::byte* const biases_;
  alignas(64) float scale_[kLanes];
  alignas(64) float bias_[kLanes];
  alignas(64) float inverse_[kLanes];  // times 2^kBelow
};

template <int kBits>
void EncodeAffine(const WeightRows& weights, int group, WeightType stored,
                  std::span<std::byte* const> planes) {
  const int64_t groups = weights.rows * (weights.columns / group);
  AffineEncoder<kBits> encoder(group, stored, planes);
  switch (weights.type) {
    case WeightType::kF32:
      return encoder.template Run<WeightType::kF32>(weights.data, groups);
    case WeightType::kF16:
      return encoder.template Run<WeightType::kF16>(weights.data, groups);
    case WeightType::kBf16:
      return encoder.template Run<WeightType::kBf16>(weights.data, groups);
  }
}

template <int kBits>
void DecodeAffine(std::span<const std::byte* const> planes, int64_t groups, int group, WeightType stored,
                  float* weights) {
  for (int64_t g = 0; g < groups; ++g, weights += group) {
    const float scale = Widened(stored, planes[1], g), bias = Widened(stored, planes[2], g);
    uint8_t levels[kLargestGroup];
    UnpackLevels<kBits>(planes[0] + g * group / 8 * kBits, group, levels);
    for (int i = 0; i < group; ++i) weights[i] = scale * static_cast<float>(levels[i]) + bias;
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
