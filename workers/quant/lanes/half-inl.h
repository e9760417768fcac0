// binary16 and bfloat16 in lane arithmetic: the formulas of workers/quant/half.h, a vector at a time.
// (Highway's own conversions truncate on some targets.)
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_HALF_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_HALF_INL_H_
#undef QUANTD_LANES_HALF_INL_H_
#else
#define QUANTD_LANES_HALF_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// The 16 bits, in the low half of the integer. Nearest, ties to even; NaN gives 0x7e00 with its sign, as
// ggml.
template <class L>
QUANTD_LANE typename L::Int ToHalf(typename L::Float value) {
  using Int = typename L::Int;
  const Int bits = L::Bits(value);
  const Int sign = L::ShiftDown(bits, 16) & Int(0x8000);
  const Int magnitude = bits & Int(0x7fffffff);
  const Int subnormal = L::Bits(L::FromBits(magnitude) + typename L::Float(0.5f)) - Int(0x3f000000);
  const Int odd = L::ShiftDown(magnitude, 13) & Int(1);
  const Int normal = L::ShiftDown(magnitude + Int(static_cast<int32_t>(0xc8000fffu)) + odd, 13);
  const Int finite = L::Select(magnitude < Int(0x38800000), subnormal, normal);
  const Int special = L::Select(magnitude > Int(0x7f800000), Int(0x7e00), Int(0x7c00));
  return L::Select(magnitude >= Int(0x47800000), special, finite) | sign;
}

template <class L>
QUANTD_LANE typename L::Float FromHalf(typename L::Int half) {
  using Int = typename L::Int;
  const Int magnitude = (half & Int(0x7fff)) << 13;
  const Int exponent = magnitude & Int(0x7c00 << 13);
  const Int normal = magnitude + Int((127 - 15) << 23);
  const Int special = normal + Int((128 - 16) << 23);
  const Int subnormal = L::Bits(L::FromBits(normal + Int(1 << 23)) - L::FromBits(Int(113 << 23)));
  const Int bits =
      L::Select(exponent == Int(0), subnormal, L::Select(exponent == Int(0x7c00 << 13), special, normal));
  return L::FromBits(bits | (half & Int(0x8000)) << 16);
}

// What a value is after it was stored as binary16.
template <class L>
QUANTD_LANE typename L::Float RoundedToHalf(typename L::Float value) {
  return FromHalf<L>(ToHalf<L>(value));
}

// As ToHalf, for bfloat16.
template <class L>
QUANTD_LANE typename L::Int ToBf16(typename L::Float value) {
  using Int = typename L::Int;
  const Int bits = L::Bits(value);
  const Int odd = L::ShiftDown(bits, 16) & Int(1);
  const Int rounded = L::ShiftDown(bits + Int(0x7fff) + odd, 16);
  const auto is_nan = (bits & Int(0x7fffffff)) > Int(0x7f800000);
  return L::Select(is_nan, L::ShiftDown(bits, 16) | Int(64), rounded);
}

template <class L>
QUANTD_LANE typename L::Float RoundedToBf16(typename L::Float value) {
  return L::FromBits(ToBf16<L>(value) << 16);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
