// How K-quants weigh a weight where there is an importance matrix: by its column's importance and by its own
// magnitude beside the super-block's.
#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_K_QUANT_IMPORTANCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_K_QUANT_IMPORTANCE_INL_H_
#undef QUANTD_K_QUANT_IMPORTANCE_INL_H_
#else
#define QUANTD_K_QUANT_IMPORTANCE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class L, class Weights>
QUANTD_LANE typename L::Float SumOfSquares(const Weights& weights) {
  typename L::Float sum = 0.0f;
  for (int i = 0; i < kSuperBlock; ++i) sum = sum + weights[i] * weights[i];
  return sum;
}

// w[i] = importance[i] * sqrt(variance + x[i]^2). Returns the sum of all w.
template <class L, int N, class Weights, class Importance>
QUANTD_LANE typename L::Float WeighByImportance(const Weights& x, const Importance& importance,
                                                typename L::Float variance,
                                                typename L::template FloatArray<N>& w) {
  typename L::Float sum = 0.0f;
  QUANTD_UNROLL
  for (int i = 0; i < N; ++i) {
    const typename L::Float weighed = importance[i] * L::Sqrt(variance + x[i] * x[i]);
    w.Set(i, weighed);
    sum = sum + weighed;
  }
  return sum;
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
