// How MLX packs levels: one bit stream a row, least significant bit first, in little-endian words. Eight
// levels of kBits fill kBits bytes, whatever the width.
#include <cstdint>
#include <cstring>

#include "workers/quant/lanes/even_odd-inl.h"

#if defined(QUANTD_MLX_LEVELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_MLX_LEVELS_INL_H_
#undef QUANTD_MLX_LEVELS_INL_H_
#else
#define QUANTD_MLX_LEVELS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

constexpr int kLargestGroup = 128;

// The low kBits of every 2^n-th bit, for neighbours that are joined or parted.
template <int kBits>
constexpr uint64_t LowBits(int distance) {
  uint64_t bits = 0;
  for (int at = 0; at < 64; at += distance) bits |= ((uint64_t{1} << kBits) - 1) << at;
  return bits;
}

// Eight bytes below 2^kBits, the first level in the lowest, to 8 * kBits bits.
template <int kBits>
QUANTD_LANE uint64_t PackEight(uint64_t bytes) {
  if constexpr (kBits == 8) return bytes;
  const auto join = [](uint64_t x, uint64_t low, int shift) { return (x & low) | ((x >> shift) & ~low); };
  constexpr uint64_t kPairs = LowBits<kBits>(16), kFours = LowBits<2 * kBits>(32);
  bytes = join(bytes, kPairs, 8 - kBits) & LowBits<2 * kBits>(16);
  bytes = join(bytes, kFours, 16 - 2 * kBits) & LowBits<4 * kBits>(32);
  return (bytes & 0xffffffffu) | bytes >> 32 << (4 * kBits);
}

template <int kBits>
QUANTD_LANE uint64_t UnpackEight(uint64_t bits) {
  if constexpr (kBits == 8) return bits;
  constexpr uint64_t kFour = (uint64_t{1} << (4 * kBits)) - 1;
  bits = (bits & kFour) | (bits >> (4 * kBits) & kFour) << 32;
  constexpr uint64_t kPairs = LowBits<2 * kBits>(32), kOnes = LowBits<kBits>(16);
  bits = (bits & kPairs) | ((bits << (16 - 2 * kBits)) & (kPairs << 16));
  return (bits & kOnes) | ((bits << (8 - kBits)) & (kOnes << 8));
}

// `count` levels, a byte each, packed.
template <int kBits>
QUANTD_LANE void PackLevels(const uint8_t* levels, int count, uint8_t* packed) {
  for (int i = 0; i < count; i += 8) {
    uint64_t bytes;
    std::memcpy(&bytes, levels + i, sizeof(bytes));
    bytes = PackEight<kBits>(bytes);
    std::memcpy(packed + i / 8 * kBits, &bytes, kBits);
  }
}

#if HWY_TARGET != HWY_SCALAR
// Levels are packed a chunk at a time: four vectors.
inline constexpr int kChunk = 4 * kOrdered;

template <int kBits>
QUANTD_LANE void StoreLevels(const Ordered (&levels)[4], uint8_t* packed) {
  if constexpr (kBits == 4) {
    StoreNibbles(levels, packed);
  } else {
    uint8_t bytes[kChunk];
    uint8_t* const to = kBits == 8 ? packed : bytes;
    for (int v = 0; v < 4; ++v) StoreBytes(levels[v], to + v * kOrdered);
    if constexpr (kBits != 8) PackLevels<kBits>(bytes, kChunk, packed);
  }
}
#endif

// Levels of `count` weights, a byte each.
template <int kBits>
QUANTD_LANE void UnpackLevels(const std::byte* packed, int count, uint8_t* levels) {
  for (int i = 0; i < count; i += 8) {
    uint64_t bits = 0;
    std::memcpy(&bits, packed + i / 8 * kBits, kBits);
    bits = UnpackEight<kBits>(bits);
    std::memcpy(levels + i, &bits, sizeof(bits));
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
