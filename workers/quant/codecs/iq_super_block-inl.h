// What the IQ2 and IQ3 types share beside the search: super-blocks of 256 weights, sub-blocks with 4-bit
// scales, signs apart from magnitudes. A sign is a bit; some types keep only seven bits for eight weights,
// because the number of negative ones is made even.
#include <cstdint>

#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/k_quant_importance-inl.h"

#if defined(QUANTD_IQ_SUPER_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_IQ_SUPER_BLOCK_INL_H_
#undef QUANTD_IQ_SUPER_BLOCK_INL_H_
#else
#define QUANTD_IQ_SUPER_BLOCK_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

enum class IqSigns { kAll, kEven };

// Gives eight weights, from index `first` of `x` on, to the fit, from its index `at` on, and returns the bits
// of their signs, eight or seven. w[i] is how much the error of x[first + i] counts. For an even number of
// negative ones, the sign that matters least is flipped: its magnitude becomes negative.
template <class L, IqSigns kSigns, class Weights, class Fit>
QUANTD_LANE typename L::Int TakeSigns(const Weights& x, int first, const typename L::Float* w, int at,
                                      Fit& fit) {
  using Float = typename L::Float;
  using Int = typename L::Int;
  Int signs = 0;
  Float magnitudes[8];
  QUANTD_UNROLL
  for (int i = 0; i < 8; ++i) {
    const Float weight = x[first + i];
    const auto is_positive = weight >= Float(0.0f);
    magnitudes[i] = L::Select(is_positive, weight, -weight);
    signs = signs | L::Select(is_positive, Int(0), Int(1 << i));
  }
  if constexpr (kSigns == IqSigns::kEven) {
    Int least_bit = 1;
    Float least = w[0] * x[first] * x[first];
    QUANTD_UNROLL
    for (int i = 1; i < 8; ++i) {
      const Float matters = w[i] * x[first + i] * x[first + i];
      const auto is_less = matters < least;
      least = L::Select(is_less, matters, least);
      least_bit = L::Select(is_less, Int(1 << i), least_bit);
    }
    const Int by_four = signs ^ (signs >> 4), by_two = by_four ^ (by_four >> 2);
    const auto is_odd = ((by_two ^ (by_two >> 1)) & Int(1)) == Int(1);
    QUANTD_UNROLL
    for (int i = 0; i < 8; ++i) {
      magnitudes[i] = L::Select(is_odd & (least_bit == Int(1 << i)), -magnitudes[i], magnitudes[i]);
    }
    signs = L::Select(is_odd, signs ^ least_bit, signs) & Int(127);
  }
  QUANTD_UNROLL
  for (int i = 0; i < 8; ++i) fit.Set(at + i, magnitudes[i], w[i]);
  return signs;
}

// Gives the kCount weights from index `first` on to the fit; signs[k] are the sign bits of the k-th eight.
// Errors count by the importance of the column and the root of the weight's square beside `variance`, or
// without importance by the weight's square beside `floor`.
template <class L, int kCount, IqSigns kSigns, class Weights, class Importance, class Fit>
QUANTD_LANE void TakeSubBlock(const Weights& x, const Importance& importance, int first,
                              typename L::Float variance, typename L::Float floor, Fit& fit,
                              typename L::Int* signs) {
  using Float = typename L::Float;
  for (int group = 0; group < kCount / 8; ++group) {
    Float w[8];
    QUANTD_UNROLL
    for (int i = 0; i < 8; ++i) {
      const int at = first + 8 * group + i;
      if constexpr (Importance::kPresent) {
        w[i] = importance[at] * L::Sqrt(variance + x[at] * x[at]);
      } else {
        w[i] = floor + x[at] * x[at];
      }
    }
    signs[group] = TakeSigns<L, kSigns>(x, first + 8 * group, w, 8 * group, fit);
  }
}

// Signs for a scale that is negative, stored as a positive one.
template <class L>
QUANTD_LANE typename L::Int FlippedWhere(typename L::Mask mask, typename L::Int signs, int32_t all) {
  return L::Select(mask, signs ^ typename L::Int(all), signs);
}

template <class L, int N>
QUANTD_LANE typename L::Float LargestOf(const typename L::Float* scales) {
  typename L::Float largest = 0.0f;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) largest = L::Max(largest, scales[i]);
  return largest;
}

// The level, 0 … 15, of a sub-block's scale: scale = (2 * level + 1) / inverse.
template <class L>
QUANTD_LANE typename L::Int IqScaleLevel(typename L::Float scale, typename L::Float inverse) {
  using Float = typename L::Float;
  using Int = typename L::Int;
  const Int level = L::NearestInt(Float(0.5f) * (inverse * scale - Float(1.0f)));
  return L::Min(L::Max(level, Int(0)), Int(15));
}

// All eight sign bits of the seven that are stored.
constexpr int EightSigns(int seven) {
  const int by_four = seven ^ (seven >> 4), by_two = by_four ^ (by_four >> 2);
  return seven | ((by_two ^ (by_two >> 1)) & 1) << 7;
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
