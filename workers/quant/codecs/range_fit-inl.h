// The search of the K-quants that have a minimum: levels 0 … top, weight ≈ scale * level - minimum. From the
// scale that spans the range, `steps` + 1 other scales are tried; each try's levels give the scale and
// minimum of least weighted squares, and the try with the least error is kept. (ggml's make_qkx2_quants and
// make_qkx3_quants, which differ only in what they are given.)
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_RANGE_FIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_RANGE_FIT_INL_H_
#undef QUANTD_RANGE_FIT_INL_H_
#else
#define QUANTD_RANGE_FIT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class L>
struct RangeFit {
  using Float = typename L::Float;
  Float scale;    // 0 where all weights are the same
  Float minimum;  // never negative
  // The try that was kept: its levels are NearestLevel((x - level_low) * level_inverse, 0, top).
  Float level_inverse;
  Float level_low;

  // Level of weight x in the try that was kept.
  QUANTD_LANE Float LevelOf(Float x, int top) const {
    return L::NearestLevel(level_inverse * (x - level_low), 0, top);
  }
};

struct RangeSearch {
  int top;
  float first;  // the first try's span is top + first levels, each next one's `delta` more
  float delta;
  int steps;
};

// Sums over a try's levels, which are stored beside them.
template <class L, int N, class Weights, class Importance, class LevelOf>
QUANTD_LANE void SumLevels(const Weights& x, const Importance& w, LevelOf level_of,
                           typename L::template FloatArray<N>& levels, typename L::Float& sum_l,
                           typename L::Float& sum_l2, typename L::Float& sum_xl) {
  using Float = typename L::Float;
  Float l = 0.0f, l2 = 0.0f, xl = 0.0f;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) {
    const Float level = level_of(x[i]);
    levels.Set(i, level);
    const Float wl = w[i] * level;
    l = l + wl;
    l2 = l2 + wl * level;
    xl = xl + wl * x[i];
  }
  sum_l = l;
  sum_l2 = l2;
  sum_xl = xl;
}

// N weights x[i] and their importance w[i]. kAbsolute: the error is that of absolute differences, not
// squares.
template <class L, int N, bool kAbsolute, class Weights, class Importance>
QUANTD_LANE RangeFit<L> FitRange(const Weights& x, const Importance& w, RangeSearch search) {
  using Float = typename L::Float;
  using Mask = typename L::Mask;
  const auto error_of = [](Float difference) {
    if constexpr (kAbsolute) return L::Abs(difference);
    return difference * difference;
  };
  Float low = x[0], high = x[0], sum_w = w[0], sum_x = sum_w * x[0];
  QUANTD_UNROLL
  for (int i = 1; i < N; ++i) {
    low = L::Min(x[i], low);
    high = L::Max(x[i], high);
    sum_w = sum_w + w[i];
    sum_x = sum_x + w[i] * x[i];
  }
  const Float low_of_all = low;
  low = L::Select(low > Float(0.0f), Float(0.0f), low);
  const Mask flat = high == low;
  const Float flat_minimum = -low;

  const float top = static_cast<float>(search.top);
  RangeFit<L> best;
  best.level_inverse = Float(top) / (high - low);
  best.level_low = low;
  best.scale = Float(1.0f) / best.level_inverse;
  Float best_error = 0.0f;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) {
    const Float level = L::NearestLevel(best.level_inverse * (x[i] - low), 0, search.top);
    best_error = best_error + w[i] * error_of(best.scale * level + low - x[i]);
  }
  // The minimum that a try finds is the next try's lower end: the tries depend on each other.
  for (int step = 0; step <= search.steps; ++step) {
    const Float inverse = Float(search.first + search.delta * static_cast<float>(step) + top) / (high - low);
    typename L::template FloatArray<N> levels;
    Float sum_l, sum_l2, sum_xl;
    // Levels beyond ±2^22 wrap in ggml. They hardly ever occur, and without them rounding is cheaper.
    const Float widest = L::Abs(inverse) * L::Max(L::Abs(low_of_all - low), L::Abs(high - low));
    const auto sum_levels = [&](auto level_of) {
      SumLevels<L, N>(x, w, level_of, levels, sum_l, sum_l2, sum_xl);
    };
    if (L::Any(!(widest < Float(2097152.0f)))) {
      sum_levels([&](Float value) { return L::NearestLevel(inverse * (value - low), 0, search.top); });
    } else {
      sum_levels([&](Float value) { return L::NearestLevelInRange(inverse * (value - low), 0, search.top); });
    }
    const Float determinant = sum_w * sum_l2 - sum_l * sum_l;
    Float scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    Float minimum = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
    const Mask above = minimum > Float(0.0f);
    minimum = L::Select(above, Float(0.0f), minimum);
    scale = L::Select(above, sum_xl / sum_l2, scale);
    Float error = 0.0f;
    QUANTD_UNROLL
    for (int i = 0; i < N; ++i) error = error + w[i] * error_of(scale * levels[i] + minimum - x[i]);

    const Mask better = (determinant > Float(0.0f)) & (error < best_error);
    best_error = L::Select(better, error, best_error);
    best.level_inverse = L::Select(better, inverse, best.level_inverse);
    best.level_low = L::Select(better, low, best.level_low);
    best.scale = L::Select(better, scale, best.scale);
    low = L::Select(better, minimum, low);
  }
  best.minimum = L::Select(flat, flat_minimum, -low);
  best.scale = L::Select(flat, Float(0.0f), best.scale);
  best.level_inverse = L::Select(flat, Float(0.0f), best.level_inverse);
  best.level_low = L::Select(flat, Float(0.0f), best.level_low);
  return best;
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
