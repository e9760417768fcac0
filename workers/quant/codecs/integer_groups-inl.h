// Integer formats whose groups of consecutive weights share a scale and perhaps a zero point, as ONNX Runtime
// and OpenVINO store them: plain loops that the compiler vectorises for the target, over a batch of groups
// that stays in the first-level cache. What is bound by memory goes faster along the row on vector targets
// (integer_group_rows-inl.h); these loops serve short groups, rows that end inside a group, arithmetic in
// double, and the scalar target.
//
// How a format rounds is its scheme, a struct with
//   Real            float or double: the type of the arithmetic behind its levels;
//   kBatchWeights   of one batch;
//   void Fit(const float* weights, int group, int count, GroupFits<Real>& fits) const;
//   uint8_t Level(float weight, Real divisor, Real zero_point) const.
#include <hwy/cache_control.h>

#include <algorithm>
#include <bit>
#include <cstdint>

#include "workers/quant/lanes/lanes-inl.h"
#include "workers/quant/widen.h"

#if defined(QUANTD_INTEGER_GROUPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_INTEGER_GROUPS_INL_H_
#undef QUANTD_INTEGER_GROUPS_INL_H_
#else
#define QUANTD_INTEGER_GROUPS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

inline constexpr int kSmallestGroup = 16;
inline constexpr int kMaxGroups = 512;  // of a batch

// Weights first … first + count, and asks for the cache lines of as many that follow: the next batch's come
// from memory while this one is worked on.
inline void LoadBatch(const WeightRows& rows, int64_t first, int64_t count, float* to) {
  Widen(rows, first, count, to);
  constexpr int64_t kCacheLine = 64;
  const int64_t size = BytesOf(rows.type), end = std::min(first + 2 * count, rows.rows * rows.columns) * size;
  const std::byte* bytes = static_cast<const std::byte*>(rows.data);
  for (int64_t at = (first + count) * size; at < end; at += kCacheLine) hwy::Prefetch(bytes + at);
}

// What was found for each group of a batch.
template <typename Real>
struct GroupFits {
  alignas(64) Real scale[kMaxGroups];       // to be stored
  alignas(64) Real divisor[kMaxGroups];     // what Level() takes: the scale, or its inverse
  alignas(64) Real zero_point[kMaxGroups];  // a whole number
};

// The same of one group in each lane.
template <class L>
struct GroupFit {
  typename L::Float scale, divisor, zero_point;
};

struct Ranges {
  alignas(64) float low[kMaxGroups];
  alignas(64) float high[kMaxGroups];
};

// `count`: a multiple of kSmallestGroup.
inline void RangeOf(const float* weights, int count, float& low, float& high) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kSmallestGroup> tag;
  const int step = static_cast<int>(hn::Lanes(tag));
  auto lows = hn::LoadU(tag, weights), highs = lows;
  for (int i = step; i < count; i += step) {
    const auto some = hn::LoadU(tag, weights + i);
    lows = hn::Min(lows, some);
    highs = hn::Max(highs, some);
  }
  low = hn::GetLane(hn::MinOfLanes(tag, lows));
  high = hn::GetLane(hn::MaxOfLanes(tag, highs));
}

inline void RangesOf(const float* weights, int group, int count, Ranges& ranges) {
  for (int g = 0; g < count; ++g) RangeOf(weights + g * group, group, ranges.low[g], ranges.high[g]);
}

// fit(low, high, g) of groups g … g + Lanes::kCount, one after the other; of lanes behind `count` the results
// have no meaning.
template <class Fit>
void FitLanes(const Ranges& ranges, int count, Fit fit, GroupFits<float>& fits) {
  static_assert(kMaxGroups % Lanes::kCount == 0);
  for (int g = 0; g < count; g += Lanes::kCount) {
    const GroupFit<Lanes> found = fit(Lanes::Load(ranges.low + g), Lanes::Load(ranges.high + g), g);
    Lanes::Store(found.scale, fits.scale + g);
    Lanes::Store(found.divisor, fits.divisor + g);
    Lanes::Store(found.zero_point, fits.zero_point + g);
  }
}

// Comparisons with NaN are false: it becomes `low`.
template <typename Real>
QUANTD_LANE Real Clamp(Real value, Real low, Real high) {
  const Real above = value > low ? value : low;
  return above < high ? above : high;
}

// Nearest, ties to even. The sum has no room for a fraction, and its last bits are the integer's, in two's
// complement. |value| is small.
QUANTD_LANE float RoundEven(float value) {
  constexpr float kBias = 0x1.8p+23f;
  return (value + kBias) - kBias;
}
QUANTD_LANE double RoundEven(double value) {
  constexpr double kBias = 0x1.8p+52;
  return (value + kBias) - kBias;
}
QUANTD_LANE uint8_t ByteOfRoundEven(float value) {
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(value + 0x1.8p+23f));
}
QUANTD_LANE uint8_t ByteOfRoundEven(double value) {
  return static_cast<uint8_t>(std::bit_cast<uint64_t>(value + 0x1.8p+52));
}

template <class Scheme>
void LevelsOf(const Scheme scheme, const float* weights, int group, int count,
              const GroupFits<typename Scheme::Real>& fits, uint8_t* levels) {
  for (int g = 0; g < count; ++g, weights += group, levels += group) {
    const typename Scheme::Real divisor = fits.divisor[g], zero_point = fits.zero_point[g];
    for (int i = 0; i < group; ++i) levels[i] = scheme.Level(weights[i], divisor, zero_point);
  }
}

// Byte i: level 2i below, level 2i + 1 above. `count` is even.
inline void PackNibbles(const uint8_t* levels, int64_t count, std::byte* to) {
  uint8_t* bytes = reinterpret_cast<uint8_t*>(to);
  for (int64_t i = 0; i < count / 2; ++i) {
    bytes[i] = static_cast<uint8_t>((levels[2 * i] & 15) | levels[2 * i + 1] << 4);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
