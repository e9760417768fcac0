// ggml's first-generation types: 32 weights to a block, one F16 scale, for the "_1" types also one F16
// minimum. Layouts and arithmetic follow ggml (src/ggml-common.h, the reference quantizers of
// src/ggml-quants.c).
#pragma once

#include <cstdint>

namespace quantd::quant {

inline constexpr int kSmallBlock = 32;

// weight = scale * (level - 8); low nibbles are weights 0…15, high nibbles 16…31.
struct BlockQ4_0 {
  uint16_t scale;
  uint8_t levels[kSmallBlock / 2];
};
static_assert(sizeof(BlockQ4_0) == 18);

// weight = scale * level + minimum.
struct BlockQ4_1 {
  uint16_t scale;
  uint16_t minimum;
  uint8_t levels[kSmallBlock / 2];
};
static_assert(sizeof(BlockQ4_1) == 20);

// weight = scale * (level - 16); the fifth bit of weight i is bit i of `high_bits` (little-endian).
struct BlockQ5_0 {
  uint16_t scale;
  uint8_t high_bits[4];
  uint8_t levels[kSmallBlock / 2];
};
static_assert(sizeof(BlockQ5_0) == 22);

struct BlockQ5_1 {
  uint16_t scale;
  uint16_t minimum;
  uint8_t high_bits[4];
  uint8_t levels[kSmallBlock / 2];
};
static_assert(sizeof(BlockQ5_1) == 24);

// weight = scale * level.
struct BlockQ8_0 {
  uint16_t scale;
  int8_t levels[kSmallBlock];
};
static_assert(sizeof(BlockQ8_0) == 34);

}  // namespace quantd::quant
