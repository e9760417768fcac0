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

// Writes three words, of the four sub-blocks that share a byte's position; scales[j] and minimums[j] become
// what a reader finds. (They are below 64 but for searches that went wrong, whose higher bits overlap as in
// ggml.)
template <class L, class Words>
QUANTD_LANE void PackScales(typename L::Int* scales, typename L::Int* minimums, int first_word,
                            Words& words) {
  using Int = typename L::Int;
  Int low_scales = 0, low_minimums = 0, nibbles = 0;
  for (int j = 0; j < 4; ++j) {
    const Int scale = (scales[j] | (scales[j + 4] >> 4) << 6) & Int(255);
    const Int minimum = (minimums[j] | (minimums[j + 4] >> 4) << 6) & Int(255);
    const Int nibble = (scales[j + 4] & Int(15)) | (minimums[j + 4] & Int(15)) << 4;
    low_scales = low_scales | scale << (8 * j);
    low_minimums = low_minimums | minimum << (8 * j);
    nibbles = nibbles | nibble << (8 * j);
    scales[j] = scale & Int(63);
    minimums[j] = minimum & Int(63);
    scales[j + 4] = (nibble & Int(15)) | (scale >> 6) << 4;
    minimums[j + 4] = nibble >> 4 | (minimum >> 6) << 4;
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
