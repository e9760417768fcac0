// The search for the scale of scales: value ≈ scale * level, level in 0 … top, with importance. (ggml's
// make_qp_quants.)
#include "workers/quant/codecs/symmetric_fit-inl.h"
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_POSITIVE_FIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_POSITIVE_FIT_INL_H_
#undef QUANTD_POSITIVE_FIT_INL_H_
#else
#define QUANTD_POSITIVE_FIT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Levels are bytes: what is below zero wraps, as in ggml.
template <class L>
QUANTD_LANE typename L::Float AsByte(typename L::Int level) {
  return L::ToFloat(level & typename L::Int(255));
}

// Values x[i] with importance w[i], N of them; writes their levels and returns the scale.
template <class L, int N>
QUANTD_LANE typename L::Float FitPositive(const typename L::Float* x, const typename L::Float* w, int top,
                                          typename L::Int* levels) {
  using Float = typename L::Float;
  using Int = typename L::Int;
  using Mask = typename L::Mask;
  const auto nearest = [&](Float value) { return L::Min(L::NearestInt(value), Int(top)); };
  Float high = 0.0f;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) high = L::Max(high, x[i]);
  const Mask is_negligible = high < Float(kNegligible);

  Float inverse = 0.0f, best_error = 0.0f;
  for (int step = 0; step < 9; ++step) {
    const int shift = step == 0 ? 0 : step <= 4 ? step - 5 : step - 4;  // 0, -4 … -1, 1 … 4
    const Float tried = Float(0.1f * static_cast<float>(shift) + static_cast<float>(top)) / high;
    const Float scale = Float(1.0f) / tried;
    Float error = 0.0f;
    QUANTD_UNROLL
    for (int i = 0; i < N; ++i) {
      // The first try's levels are bytes that are not clamped.
      const Float level =
          step == 0 ? AsByte<L>(L::NearestInt(tried * x[i])) : L::ToFloat(nearest(tried * x[i]));
      const Float difference = x[i] - scale * level;
      error = error + w[i] * difference * difference;
    }
    const Mask better = error < best_error;
    best_error = step == 0 ? error : L::Select(better, error, best_error);
    inverse = step == 0 ? tried : L::Select(better, tried, inverse);
  }

  Float sum_lx = 0.0f, sum_l2 = 0.0f;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) {
    const Int level = nearest(inverse * x[i]);
    levels[i] = level & Int(255);
    sum_lx = sum_lx + w[i] * x[i] * L::ToFloat(level);
    sum_l2 = sum_l2 + w[i] * L::ToFloat(level) * L::ToFloat(level);
  }
  for (int round = 0; round < 5; ++round) {
    Mask changed = Float(0.0f) > Float(0.0f);
    QUANTD_UNROLL
    for (int i = 0; i < N; ++i) {
      const Float level = L::ToFloat(levels[i]), wx = w[i] * x[i];
      const Float rest_lx = sum_lx - wx * level;
      const Float rest_l2 = sum_l2 - w[i] * level * level;
      const Int moved = nearest(x[i] * rest_l2 / rest_lx);
      const Float moved_level = L::ToFloat(moved);
      const Float new_lx = rest_lx + wx * moved_level;
      const Float new_l2 = rest_l2 + w[i] * moved_level * moved_level;
      const Mask better = (rest_lx > Float(0.0f)) & (rest_l2 > Float(0.0f)) & !(moved == levels[i]) &
                          (new_lx * new_lx * sum_l2 > sum_lx * sum_lx * new_l2);
      levels[i] = L::Select(better, moved & Int(255), levels[i]);
      sum_lx = L::Select(better, new_lx, sum_lx);
      sum_l2 = L::Select(better, new_l2, sum_l2);
      changed = changed | better;
    }
    if (!L::Any(changed & !is_negligible)) break;
  }
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) levels[i] = L::Select(is_negligible, Int(0), levels[i]);
  return L::Select(is_negligible | !(sum_l2 > Float(0.0f)), Float(0.0f), sum_lx / sum_l2);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
