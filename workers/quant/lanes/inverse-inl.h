// The inverse of a scale, which levels are multiplied with.
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_INVERSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_INVERSE_INL_H_
#undef QUANTD_LANES_INVERSE_INL_H_
#else
#define QUANTD_LANES_INVERSE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Infinite where the scale is so small a subnormal number.
template <class L>
QUANTD_LANE typename L::Float InverseOrZero(typename L::Float scale) {
  using Float = typename L::Float;
  return L::Select(scale == Float(0.0f), Float(0.0f), Float(1.0f) / scale);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
