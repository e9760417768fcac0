// The searches of types whose levels are symmetric around zero: weight ≈ scale * level, level in
// -half_range … half_range - 1. (ggml's make_qx_quants and make_q3_quants.)
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_SYMMETRIC_FIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_SYMMETRIC_FIT_INL_H_
#undef QUANTD_SYMMETRIC_FIT_INL_H_
#else
#define QUANTD_SYMMETRIC_FIT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Blocks whose largest magnitude is smaller count as zero.
inline constexpr float kNegligible = 1e-15f;

// The weight of largest magnitude, with its sign; the first one where several are as large.
template <class L, int N, class Weights>
QUANTD_LANE typename L::Float PeakOf(const Weights& x) {
  using Float = typename L::Float;
  Float peak = 0.0f, magnitude = 0.0f;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) {
    const auto larger = L::Abs(x[i]) > magnitude;
    magnitude = L::Select(larger, L::Abs(x[i]), magnitude);
    peak = L::Select(larger, x[i], peak);
  }
  return peak;
}

template <class L>
struct SymmetricFit {
  using Float = typename L::Float;
  Float scale;
  Float inverse;                   // a level is NearestLevel(inverse * x)
  typename L::Mask is_negligible;  // the weights count as zero: scale is 0 and every level the lowest

  // Counted from the lowest level, which is 0.
  QUANTD_LANE Float LevelOf(Float x, int half_range) const {
    const Float level =
        L::NearestLevel(inverse * x, -half_range, half_range - 1) + Float(static_cast<float>(half_range));
    return L::Select(is_negligible, Float(0.0f), level);
  }
};

// A scale that is tried, and sums over its levels.
template <class L>
struct SymmetricTry {
  using Float = typename L::Float;
  Float inverse, lx, l2;

  // |inverse * x| is about half_range at most, but for negligible weights, whose results are not used.
  static QUANTD_LANE void Add(Float inverse, Float x, Float w, Float wx, int half_range, Float& lx,
                              Float& l2) {
    const Float level = L::NearestLevelInRange(inverse * x, -half_range, half_range - 1);
    lx = lx + wx * level;
    l2 = l2 + w * level * level;
  }
};

template <class L, int N, class Weights, class Importance>
QUANTD_LANE_LOOP void SumLevels(Weights x, const Importance& w, const typename L::template FloatArray<N>& wx,
                                int half_range, SymmetricTry<L>& tried) {
  using Float = typename L::Float;
  const Float inverse = tried.inverse;
  Float lx = 0.0f, l2 = 0.0f;
  QUANTD_UNROLL_TWICE
  for (int i = 0; i < N; ++i) SymmetricTry<L>::Add(inverse, x[i], w[i], wx[i], half_range, lx, l2);
  tried.lx = lx;
  tried.l2 = l2;
}

// Of two tries at once.
template <class L, int N, class Weights, class Importance>
QUANTD_LANE_LOOP void SumLevels(Weights x, const Importance& w, const typename L::template FloatArray<N>& wx,
                                int half_range, SymmetricTry<L>& first, SymmetricTry<L>& second) {
  using Float = typename L::Float;
  const Float inverse1 = first.inverse, inverse2 = second.inverse;
  Float lx1 = 0.0f, l21 = 0.0f, lx2 = 0.0f, l22 = 0.0f;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) {
    SymmetricTry<L>::Add(inverse1, x[i], w[i], wx[i], half_range, lx1, l21);
    SymmetricTry<L>::Add(inverse2, x[i], w[i], wx[i], half_range, lx2, l22);
  }
  first.lx = lx1;
  first.l2 = l21;
  second.lx = lx2;
  second.l2 = l22;
}

// Nineteen scales around the one that spans the range are tried; the one of least weighted squares is kept.
// w[i] is the importance of x[i].
template <class L, int N, class Weights, class Importance>
QUANTD_LANE SymmetricFit<L> FitSymmetric(const Weights& x, const Importance& w, int half_range) {
  using Float = typename L::Float;
  const Float peak = PeakOf<L, N>(x);
  typename L::template FloatArray<N> wx;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) wx.Set(i, w[i] * x[i]);
  const auto inverse_of = [&](int shift) {
    return Float(-(static_cast<float>(half_range) + 0.1f * static_cast<float>(shift))) / peak;
  };

  SymmetricTry<L> first, second;
  first.inverse = inverse_of(0);
  SumLevels<L, N>(x, w, wx, half_range, first);
  Float scale = L::Select(first.l2 == Float(0.0f), Float(0.0f), first.lx / first.l2);
  Float best = scale * first.lx, best_inverse = first.inverse;
  const auto keep_better = [&](const SymmetricTry<L>& tried) {
    const Float lx = tried.lx, l2 = tried.l2, tried_scale = lx / l2;
    const auto better = (l2 > Float(0.0f)) & (lx * lx > best * l2);
    scale = L::Select(better, tried_scale, scale);
    best = L::Select(better, tried_scale * lx, best);
    best_inverse = L::Select(better, tried.inverse, best_inverse);
  };
  for (int step = 0; step < 18; step += 2) {
    const int shift = step < 9 ? step - 9 : step - 8;  // of -9 … -1, 1 … 9
    first.inverse = inverse_of(shift);
    second.inverse = inverse_of(shift == -1 ? 1 : shift + 1);
    SumLevels<L, N>(x, w, wx, half_range, first, second);
    keep_better(first);
    keep_better(second);
  }
  const auto is_negligible = L::Abs(peak) < Float(kNegligible);
  return {L::Select(is_negligible, Float(0.0f), scale), best_inverse, is_negligible};
}

// From the scale that spans the range, single levels are moved as long as that lessens the squared error,
// five rounds at most. `levels` are counted from the lowest one. Returns the scale.
template <class L, int N, class Weights>
QUANTD_LANE typename L::Float RefineSymmetric(const Weights& x, int half_range,
                                              typename L::template FloatArray<N>& levels) {
  using Float = typename L::Float;
  using Mask = typename L::Mask;
  const Float peak = PeakOf<L, N>(x);
  const Mask is_negligible = L::Abs(peak) < Float(kNegligible);
  const Float inverse = Float(static_cast<float>(-half_range)) / peak;
  Float sum_lx = 0.0f, sum_l2 = 0.0f;
  typename L::template FloatArray<N> lx, l2;  // the terms of the sums
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) {
    const Float level = L::NearestLevelInRange(inverse * x[i], -half_range, half_range - 1);
    levels.Set(i, level);
    const Float w = x[i] * x[i], level_lx = w * x[i] * level, level_l2 = w * level * level;
    lx.Set(i, level_lx);
    l2.Set(i, level_l2);
    sum_lx = sum_lx + level_lx;
    sum_l2 = sum_l2 + level_l2;
  }
  // A lane is done after a round in which none of its levels moved: the next would be the same.
  Mask active = !is_negligible;
  for (int round = 0; round < 5 && L::Any(active); ++round) {
    Mask changed = Float(0.0f) > Float(0.0f);
    QUANTD_UNROLL
    for (int i = 0; i < N; ++i) {
      const Float level = levels[i], rest_lx = sum_lx - lx[i], rest_l2 = sum_l2 - l2[i];
      // A level moves only if x * rest_l2 / rest_lx is farther from it than rounding reaches (or is no
      // number). In most blocks none does, which is seen without the division; 0.49 leaves room for rounding
      // errors.
      const Float distance = L::Abs(x[i] * rest_l2 - level * rest_lx);
      const Mask may_move = active & (rest_lx > Float(0.0f)) & !(distance < Float(0.49f) * rest_lx);
      if (!L::Any(may_move)) continue;
      const Float moved = L::NearestLevel(x[i] * rest_l2 / rest_lx, -half_range, half_range - 1);
      const Float w = x[i] * x[i], moved_lx = w * x[i] * moved, moved_l2 = w * moved * moved;
      const Float new_lx = rest_lx + moved_lx, new_l2 = rest_l2 + moved_l2;
      const Mask better = may_move & !(moved == level) & (new_l2 > Float(0.0f)) &
                          (new_lx * new_lx * sum_l2 > sum_lx * sum_lx * new_l2);
      levels.Set(i, L::Select(better, moved, level));
      lx.Set(i, L::Select(better, moved_lx, lx[i]));
      l2.Set(i, L::Select(better, moved_l2, l2[i]));
      sum_lx = L::Select(better, new_lx, sum_lx);
      sum_l2 = L::Select(better, new_l2, sum_l2);
      changed = changed | better;
    }
    active = changed;
  }
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) {
    levels.Set(i, L::Select(is_negligible, Float(0.0f), levels[i] + Float(static_cast<float>(half_range))));
  }
  const auto no_scale = is_negligible | !(sum_l2 > Float(0.0f));
  return L::Select(no_scale, Float(0.0f), sum_lx / sum_l2);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
