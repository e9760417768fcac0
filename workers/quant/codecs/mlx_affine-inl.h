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
#include "workers/quant/lanes/row_ranges-inl.h"
#include "workers/quant/widen.h"

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
  typename L::Float levels_to_zero;  // -bias / scale, before rounding a whole number
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
  const Float steps = L::Round(edge / scale);
  const auto is_zero = steps == Float(0.0f);
  return {L::Select(is_zero, scale, edge / steps), L::Select(is_zero, Float(0.0f), edge), -steps};
}

// What is made of consecutive groups.
struct AffinePlanes {
  uint8_t* levels;
  std::byte* scales;
  std::byte* biases;

  static AffinePlanes Of(std::span<std::byte* const> planes) {
    return {reinterpret_cast<uint8_t*>(planes[0]), planes[1], planes[2]};
  }
  AffinePlanes At(int64_t groups, int64_t level_bytes, int64_t stored_bytes) const {
    return {levels + groups * level_bytes, scales + groups * stored_bytes, biases + groups * stored_bytes};
  }
};

#if HWY_TARGET == HWY_SCALAR

template <int kBits>
void EncodeAffine(const WeightRows& weights, int group, WeightType stored,
                  std::span<std::byte* const> planes) {
  constexpr int kTop = (1 << kBits) - 1;
  const int64_t groups = weights.rows * (weights.columns / group);
  for (int64_t g = 0; g < groups; ++g) {
    float x[kLargestGroup] = {};
    Widen(weights, g * group, group, x);
    const auto [low, high] = std::minmax_element(x, x + group);
    const AffineFit<Lanes> fit = FitAffine<Lanes>(*low, *high, kTop);
    uint8_t levels[kLargestGroup];
    for (int i = 0; i < group; ++i) {
      const int level = Lanes::NearestInt((x[i] - fit.bias) / fit.scale);
      levels[i] = static_cast<uint8_t>(std::clamp(level, 0, kTop));
    }
    const AffinePlanes at = AffinePlanes::Of(planes).At(g, group / 8 * kBits, BytesOf(stored));
    PackLevels<kBits>(levels, group, at.levels);
    StoreNarrowed(stored, fit.scale, at.scales);
    StoreNarrowed(stored, fit.bias, at.biases);
  }
}

#else

// What levels of a batch of groups are found by. A level is in doubt if its fraction is so near to a half
// that rounding on the way to it may have changed it: by kDoubt / 2 units of the fixed point.
struct AffineNumbers {
  static constexpr int kDoubt = 4;

  BlockFloats scale, bias;
  BlockFloats inverse, offset;  // fixed point with kDoubt / 2 added: weight * inverse + offset
};

// Scales and biases are stored too. The fixed point has `below` bits behind the point. Its offset lifts it
// above 2^23, where a float's last bit is 1. Groups far from zero have more rounding in their bias: they are
// given numbers that are always in doubt.
template <class Source>
HWY_NOINLINE void FitBatch(const typename Source::Bits* x, int group, int top_level, WeightType stored,
                           int below, const AffinePlanes& to, AffineNumbers& numbers) {
  LaneFloat low, high;
  FindRanges<Source>(x, group, low, high);
  const AffineFit<Lanes> fit = FitAffine<Lanes>(low, high, top_level);
  StoreNarrowed(stored, fit.scale, to.scales);
  StoreNarrowed(stored, fit.bias, to.biases);
  numbers.scale.Set(fit.scale);
  numbers.bias.Set(fit.bias);
  const LaneFloat one(static_cast<float>(1 << below));
  const LaneFloat lift(static_cast<float>((1 << 23) + (1 << (below - 1)) + AffineNumbers::kDoubt / 2));
  const auto is_near = Lanes::Abs(fit.levels_to_zero) <= LaneFloat(static_cast<float>(top_level + 1));
  numbers.inverse.Set(Lanes::Select(is_near, one / fit.scale, LaneFloat(0.0f)));
  numbers.offset.Set(Lanes::Select(is_near, lift + fit.levels_to_zero * one, LaneFloat(0x1p+23f)));
}

template <class Source, int kBits>
class AffineEncoder {
 public:
  using Bits = typename Source::Bits;

  AffineEncoder(int group, WeightType stored) : group_(group), stored_(stored) {}

  // Groups that follow each other in memory.
  void Run(const Bits* x, int64_t groups, AffinePlanes to) {
    const int64_t level_bytes = group_ / 8 * kBits, stored_bytes = BytesOf(stored_);
    for (; groups >= kBatch; groups -= kBatch, x += kBatch * group_) {
      Encode(x, to);
      to = to.At(kBatch, level_bytes, stored_bytes);
    }
    if (groups == 0) return;
    Bits rest[kBatch * kLargestGroup] = {};
    std::copy_n(x, groups * group_, rest);
    uint8_t levels[kBatch * kLargestGroup];
    std::byte scales[kBatch * sizeof(float)], biases[kBatch * sizeof(float)];
    Encode(rest, {levels, scales, biases});
    std::copy_n(levels, groups * level_bytes, to.levels);
    std::copy_n(scales, groups * stored_bytes, to.scales);
    std::copy_n(biases, groups * stored_bytes, to.biases);
  }

 private:
  static constexpr int kBatch = Lanes::kCount;
  static constexpr int kTop = (1 << kBits) - 1;
  static constexpr int kBelow = kBits == 8 ? 14 : 16;

  void Encode(const Bits* x, const AffinePlanes& to) {
    FitBatch<Source>(x, group_, kTop, stored_, kBelow, to, numbers_);
    switch (kChunk / group_) {
      case 4:
        return WriteLevels<4>(x, group_, to.levels);
      case 2:
        return WriteLevels<2>(x, group_, to.levels);
      default:
        return WriteLevels<1>(x, group_, to.levels);
    }
  }

  // A chunk has the levels of so many groups, or a part of one's.
  template <int kGroups>
  QUANTD_LANE void WriteLevels(const Bits* x, const int group, uint8_t* packed) const {
    const int chunks_of_group = std::max(1, group / kChunk);
    const int64_t ahead = PrefetchDistance(int64_t{kBatch} * group * sizeof(*x));
    for (int g = 0; g < kBatch; g += kGroups) {
      for (int i = 0; i < chunks_of_group; ++i, x += kChunk, packed += kChunk / 8 * kBits) {
        PrefetchBehind<kChunk * sizeof(*x)>(x, ahead);
        Ordered levels[4];
        for (int v = 0; v < 4; ++v) levels[v] = LevelsOf(x + v * kOrdered, g + v * kGroups / 4);
        StoreLevels<kBits>(levels, packed);
      }
    }
  }

  // Multiplying by the scale's inverse is faster than dividing, and rounds to the same level unless the
  // quotient is next to the middle between two. So levels are computed in fixed point, and the bits below
  // tell whether one is in doubt. (Among weights of 16 bits many quotients are such middles: one vector in
  // sixteen divides.) What is rounded is less than kDoubt / 2 together, with a fused operation or without:
  // 2^-24 of the largest level twice for what MLX rounds and thrice for the product, its factor and the bias,
  // and one half for the sum. (Levels above the top are cut either way.)
  QUANTD_LANE Ordered LevelsOf(const Bits* x, int group) const {
    const OrderedTag tag;
    // The bits of 2^23 that are beside the level's; saturation cuts levels to the top.
    constexpr uint16_t kBase = (0x4b000000 >> kBelow) & 0xffff;
    const auto to_saturation = hn::Set(tag, 0xffff - kBase - kTop), top = hn::Set(tag, kTop);
    const auto inverse = numbers_.inverse[group], offset = numbers_.offset[group];
    const EvenOdd weights = LoadEvenOdd<Source>(x);
    const EvenOdd fixed = {hn::MulAdd(weights.even, inverse, offset),
                           hn::MulAdd(weights.odd, inverse, offset)};
    Ordered below = OrderedBits<0>(fixed);
    if constexpr (kBelow < 16) below = hn::And(below, hn::Set(tag, (1 << kBelow) - 1));
    const auto beyond_doubt = hn::SaturatedSub(below, hn::Set(tag, AffineNumbers::kDoubt));
    if (!hn::AllFalse(tag, hn::Eq(beyond_doubt, hn::Zero(tag)))) [[unlikely]]
      return LevelsByDivision(weights, group);
    return hn::And(hn::SaturatedAdd(OrderedBits<kBelow>(fixed), to_saturation), top);
  }

  // Level = round((weight - bias) / scale), by true division, as MLX does. No level is negative, because the
  // scale's sign points from the bias to the other edge of the range, and none is so large that adding 1.5 *
  // 2^23 would not round it: the integer is in the sum's last bits.
  QUANTD_LANE Ordered LevelsByDivision(EvenOdd weights, int group) const {
    const auto round = hn::Set(FloatTag(), 0x1.8p+23f);
    const auto bias = numbers_.bias[group], scale = numbers_.scale[group];
    const auto rounded = [&](FloatVector weight) {
      return hn::Add(hn::Div(hn::Sub(weight, bias), scale), round);
    };
    const EvenOdd fixed = {rounded(weights.even), rounded(weights.odd)};
    return hn::Min(OrderedBits<0>(fixed), hn::Set(OrderedTag(), kTop));
  }

  const int group_;
  const WeightType stored_;
  AffineNumbers numbers_;
};

template <int kBits>
void EncodeAffine(const WeightRows& weights, int group, WeightType stored,
                  std::span<std::byte* const> planes) {
  WithSource(weights, [&](auto source, const auto* x) {
    AffineEncoder<decltype(source), kBits> encoder(group, stored);
    encoder.Run(x, weights.rows * (weights.columns / group), AffinePlanes::Of(planes));
  });
}

#endif

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
