// The 12 bytes in which Q4_K and Q5_K keep eight 6-bit scales and eight 6-bit minimums: bytes 0…3 and 4…7
// hold those of sub-blocks 0…3 in their low six bits; bytes 8…11 hold the low nibbles of sub-blocks 4…7
// (scale below, minimum above), whose high two bits fill the top of bytes 0…7.
#include <cstdint>

#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_PACKED_SCALES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_PACKED_SCALES_INL_H_
#undef QUANTD_PACKED_SCALES_INL_H_
#else
#define QUANTD_PACKED_SCALES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

inline constexpr int kPackedSubBlocks = 8;

// scales[j] and minimums[j] are below 64. Writes three words, of the four sub-blocks that share a byte's
// position.
template <class L, class Words>
QUANTD_LANE void PackScales(const typename L::Int* scales, const typename L::Int* minimums, int first_word,
                            Words& words) {
  using Int = typename L::Int;
  Int low_scales = 0, low_minimums = 0, nibbles = 0;
  for (int j = 0; j < 4; ++j) {
    const Int high_scale = scales[j + 4], high_minimum = minimums[j + 4];
    low_scales = low_scales | (scales[j] | (high_scale >> 4) << 6) << (8 * j);
    low_minimums = low_minimums | (minimums[j] | (high_minimum >> 4) << 6) << (8 * j);
    nibbles = nibbles | ((high_scale & Int(15)) | (high_minimum & Int(15)) << 4) << (8 * j);
  }
  words.Set(first_word, low_scales);
  words.Set(first_word + 1, low_minimums);
  words.Set(first_word + 2, nibbles);
}

struct SubBlockScale {
  uint8_t scale;
  uint8_t minimum;
};

constexpr SubBlockScale UnpackScale(const uint8_t* bytes, int j) {
  if (j < 4) return {static_cast<uint8_t>(bytes[j] & 63), static_cast<uint8_t>(bytes[j + 4] & 63)};
  return {static_cast<uint8_t>((bytes[j + 4] & 15) | (bytes[j - 4] >> 6) << 4),
          static_cast<uint8_t>((bytes[j + 4] >> 4) | (bytes[j] >> 6) << 4)};
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
