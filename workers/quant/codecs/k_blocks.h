// ggml's K-quants: super-blocks of 256 weights, cut into sub-blocks whose scales are themselves quantized
// against the F16 scales of the super-block. Layouts follow ggml (src/ggml-common.h).
#pragma once

#include <cstdint>

namespace quantd::quant {

inline constexpr int kSuperBlock = 256;

// 16 sub-blocks of 16; weight = scale * (scales[j] & 15) * level - minimum * (scales[j] >> 4).
struct BlockQ2_K {
  uint8_t scales[kSuperBlock / 16];
  uint8_t levels[kSuperBlock / 4];
  uint16_t scale;
  uint16_t minimum;
};
static_assert(sizeof(BlockQ2_K) == 84);

// 16 sub-blocks of 16; weight = scale * (6-bit scale - 32) * (level - 4), bit 2 of the level in `high_bits`.
struct BlockQ3_K {
  uint8_t high_bits[kSuperBlock / 8];
  uint8_t levels[kSuperBlock / 4];
  uint8_t scales[12];
  uint16_t scale;
};
static_assert(sizeof(BlockQ3_K) == 110);

// 8 sub-blocks of 32, 6-bit scales and minimums packed into 12 bytes; weight = scale * s * level - minimum *
// m.
struct BlockQ4_K {
  uint16_t scale;
  uint16_t minimum;
  uint8_t scales[12];
  uint8_t levels[kSuperBlock / 2];
};
static_assert(sizeof(BlockQ4_K) == 144);

struct BlockQ5_K {
  uint16_t scale;
  uint16_t minimum;
  uint8_t scales[12];
  uint8_t high_bits[kSuperBlock / 8];
  uint8_t levels[kSuperBlock / 2];
};
static_assert(sizeof(BlockQ5_K) == 176);

// 16 sub-blocks of 16; weight = scale * scales[j] * (level - 32).
struct BlockQ6_K {
  uint8_t low_levels[kSuperBlock / 2];
  uint8_t high_levels[kSuperBlock / 4];
  int8_t scales[kSuperBlock / 16];
  uint16_t scale;
};
static_assert(sizeof(BlockQ6_K) == 210);

}  // namespace quantd::quant
