// Rounding as the reference quantizers do it, where it is part of their results.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace quantd::quant {

// Nearest integer, ties to even, for |value| < 2^22: adding 1.5 * 2^23 leaves the integer in the mantissa.
// Outside that range the result wraps, and ggml's searches reach such values, so the wrapping is kept.
inline int32_t NearestInt(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value + 12582912.0f);
  return static_cast<int32_t>(bits & 0x007fffffu) - 0x00400000;
}

// Towards zero; values that no int32 holds give the smallest one, as x86's conversion does. (A subnormal
// scale has an infinite inverse; ggml's bytes then are what the processor's conversion gives.)
inline int32_t TruncateToInt(float value) {
  return std::fabs(value) < 2147483648.0f ? static_cast<int32_t>(value) : INT32_MIN;
}

inline int32_t Clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : value;
}

}  // namespace quantd::quant
