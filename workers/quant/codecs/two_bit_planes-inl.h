// How Q2_K and Q3_K pack two-bit levels: each half of 128 weights takes 32 bytes, and bits 2r, 2r + 1 of byte
// i are the level of weight 32 * r + i of that half. A sub-block of 16 weights thus fills two bits of four
// words.
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_TWO_BIT_PLANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_TWO_BIT_PLANES_INL_H_
#undef QUANTD_TWO_BIT_PLANES_INL_H_
#else
#define QUANTD_TWO_BIT_PLANES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

inline constexpr int kTwoBitWords = 16;

// First of the four words in which sub-block j lies, and the bit where it begins in each of their bytes.
constexpr int FirstTwoBitWord(int j) { return j / 8 * 8 + j % 2 * 4; }
constexpr int TwoBitShift(int j) { return j % 8 / 2 * 2; }

// All levels of a super-block, in order. (A loop that a compiler vectorises.)
constexpr void SplitTwoBitPlanes(const uint8_t* bytes, uint8_t* levels) {
  for (int half = 0; half < 2; ++half) {
    for (int run = 0; run < 4; ++run) {
      for (int i = 0; i < 32; ++i)
        levels[half * 128 + run * 32 + i] = static_cast<uint8_t>(bytes[half * 32 + i] >> (2 * run) & 3);
    }
  }
}

// Level of weight i of a super-block.
constexpr int TwoBitLevel(const uint8_t* bytes, int i) {
  return bytes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
