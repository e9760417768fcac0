// The lane vocabulary for a single lane: plain C++ scalars. This is the `scalar` CPU target and what a CUDA
// thread runs; vector_lanes-inl.h has the same names over vectors. A lane is one block of a codec, so no
// operation ever crosses lanes, and every result is the scalar algorithm's, bit for bit.
//
//   Float, Int, Mask   values of all lanes. `+ - * /`, `< > <= >= ==`, and for Int `& | ^ << >>` (>> keeps
//   the
//                      sign) are operators; Masks combine by `&`, `|` and `!`.
//   kCount             how many lanes there are.
//
// Comparisons with NaN are false, as in C. Nothing here fuses a multiplication with an addition.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "workers/quant/lanes/lane_function.h"

namespace quantd::quant {

struct OneLane {
  using Float = float;
  using Int = int32_t;
  using Mask = bool;
  static constexpr int kCount = 1;

  // N values for loops over i: a GPU keeps them in registers when the loops are unrolled.
  template <int N>
  class FloatArray {
   public:
    QUANTD_LANE float operator[](int i) const { return values_[i]; }
    QUANTD_LANE void Set(int i, float value) { values_[i] = value; }

   private:
    float values_[N];
  };

  static QUANTD_LANE float Load(const float* from) { return *from; }
  static QUANTD_LANE void Store(float value, float* to) { *to = value; }
  static QUANTD_LANE void Store(int32_t value, uint32_t* to) { *to = static_cast<uint32_t>(value); }
  static QUANTD_LANE int32_t LoadInt(const uint32_t* from) { return static_cast<int32_t>(*from); }

  // The bits of a float as an integer, and back.
  static QUANTD_LANE int32_t Bits(float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
  }
  static QUANTD_LANE float FromBits(int32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
  }

  static QUANTD_LANE float Select(bool mask, float yes, float no) { return mask ? yes : no; }
  static QUANTD_LANE int32_t Select(bool mask, int32_t yes, int32_t no) { return mask ? yes : no; }
  static QUANTD_LANE bool Any(bool mask) { return mask; }

  static QUANTD_LANE float Abs(float value) { return FromBits(Bits(value) & 0x7fffffff); }
  static QUANTD_LANE float Sqrt(float value) { return sqrtf(value); }
  // To the nearest integer, ties to even.
  static QUANTD_LANE float Round(float value) { return rintf(value); }
  // a < b ? a : b and a > b ? a : b: the second where one is NaN.
  static QUANTD_LANE float Min(float a, float b) { return a < b ? a : b; }
  static QUANTD_LANE float Max(float a, float b) { return a > b ? a : b; }
  static QUANTD_LANE int32_t Min(int32_t a, int32_t b) { return a < b ? a : b; }
  static QUANTD_LANE int32_t Max(int32_t a, int32_t b) { return a > b ? a : b; }

  static QUANTD_LANE float ToFloat(int32_t value) { return static_cast<float>(value); }
  // Towards zero; values that no int32 holds give the smallest one, as x86's conversion does.
  static QUANTD_LANE int32_t Truncate(float value) {
    return Abs(value) < 2147483648.0f ? static_cast<int32_t>(value) : INT32_MIN;
  }
  // Logical shift to the right.
  static QUANTD_LANE int32_t ShiftDown(int32_t value, int bits) {
    return static_cast<int32_t>(static_cast<uint32_t>(value) >> bits);
  }
  // value >> bits[lane], logical; bits below 32.
  static QUANTD_LANE int32_t ShiftDownBy(int32_t value, int32_t bits) { return ShiftDown(value, bits); }
  // value << bits[lane]; bits below 32.
  static QUANTD_LANE int32_t ShiftUpBy(int32_t value, int32_t bits) {
    return static_cast<int32_t>(static_cast<uint32_t>(value) << bits);
  }
  // table[index]: indices are never negative and within the table.
  static QUANTD_LANE int32_t Gather(const int32_t* table, int32_t index) { return table[index]; }
  static QUANTD_LANE float Gather(const float* table, int32_t index) { return table[index]; }

  // Nearest integer, ties to even, as ggml finds it: 1.5 * 2^23 is added and the integer read from the
  // mantissa. Outside ±2^22 the result wraps, and NaN gives 0; the searches reach such values.
  static QUANTD_LANE int32_t NearestInt(float value) {
    if (value != value) return 0;  // a GPU's NaN has other bits in its mantissa than a CPU's
    return (Bits(value + 12582912.0f) & 0x007fffff) - 0x00400000;
  }
  // NearestInt(value), clamped, as a float; |low| and |high| are below 2^22.
  static QUANTD_LANE float NearestLevel(float value, int low, int high) {
    return static_cast<float>(Min(Max(NearestInt(value), low), high));
  }
  // The same where |value| is below 2^22: nothing wraps, and the sum can be clamped as it is. low <= 0 <=
  // high; what rounds to zero may be -0.
  static QUANTD_LANE float NearestLevelInRange(float value, int low, int high) {
    constexpr float kBias = 12582912.0f;
    const float biased = value + kBias;
    return Min(Max(biased, kBias + static_cast<float>(low)), kBias + static_cast<float>(high)) - kBias;
  }
  // As NearestLevelInRange(value, 0, …), of a value that is known to be below high + 1/2.
  static QUANTD_LANE float NearestLevelFromZero(float value) {
    constexpr float kBias = 12582912.0f;
    return Max(value + kBias, kBias) - kBias;
  }
};

}  // namespace quantd::quant
