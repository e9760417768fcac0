// The 12 bytes in which Q4_K and Q5_K keep eight 6-bit scales and eight 6-bit minimums: bytes 0…3 and 4…7
// hold those of sub-blocks 0…3 in their low six bits; bytes 8…11 hold the low nibbles of sub-blocks 4…7
// (scale below, minimum above), whose high two bits fill the top of bytes 0…7.
#pragma once

#include <cstdint>

namespace quantd::quant {

inline constexpr int kPackedSubBlocks = 8;

struct SubBlockScale {
  uint8_t scale;
  uint8_t minimum;
};

// `bytes` are written in the order j = 0…7; each call for j ≥ 4 needs those for j - 4 before.
inline void PackScale(uint8_t* bytes, int j, SubBlockScale value) {
  if (j < 4) {
    bytes[j] = value.scale;
    bytes[j + 4] = value.minimum;
    return;
  }
  bytes[j + 4] = static_cast<uint8_t>((value.scale & 15) | (value.minimum & 15) << 4);
  bytes[j - 4] = static_cast<uint8_t>(bytes[j - 4] | (value.scale >> 4) << 6);
  bytes[j] = static_cast<uint8_t>(bytes[j] | (value.minimum >> 4) << 6);
}

inline SubBlockScale UnpackScale(const uint8_t* bytes, int j) {
  if (j < 4) return {static_cast<uint8_t>(bytes[j] & 63), static_cast<uint8_t>(bytes[j + 4] & 63)};
  return {static_cast<uint8_t>((bytes[j + 4] & 15) | (bytes[j - 4] >> 6) << 4),
          static_cast<uint8_t>((bytes[j + 4] >> 4) | (bytes[j] >> 6) << 4)};
}

}  // namespace quantd::quant
