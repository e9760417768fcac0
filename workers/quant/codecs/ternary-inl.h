// TQ1_0 and TQ2_0: super-blocks of 256 weights that are -1, 0 or 1 times an F16 scale, the largest magnitude.
// Q1_0 and Q2_0 are their smaller relatives: signs times the mean magnitude, and -1 … 2 times the largest.
#include <cstdint>
#include <cstring>

#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/spread_bits.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"
#include "workers/quant/lanes/inverse-inl.h"

#if defined(QUANTD_TERNARY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_TERNARY_INL_H_
#undef QUANTD_TERNARY_INL_H_
#else
#define QUANTD_TERNARY_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class L, int N, class Weights>
QUANTD_LANE typename L::Float LargestMagnitude(const Weights& weights) {
  typename L::Float largest = 0.0f;
  for (int i = 0; i < N; ++i) largest = L::Max(largest, L::Abs(weights[i]));
  return largest;
}

// 0, 1 or 2 for what rounds (half away from zero) to -1, 0 or 1. A scale so small that its inverse is
// infinite gives no numbers, which count as `otherwise`.
template <class L>
QUANTD_LANE typename L::Int Trit(typename L::Float scaled, int otherwise) {
  using Float = typename L::Float;
  using Int = typename L::Int;
  const Int up = L::Select(scaled >= Float(0.5f), Int(1), Int(0));
  const Int down = L::Select(scaled <= Float(-0.5f), Int(1), Int(0));
  return L::Select(L::Abs(scaled) < Float(2.0f), Int(1) + up - down, Int(otherwise));
}

struct BlockTq1_0 {
  uint8_t levels[48];  // five weights a byte, in base 3
  uint8_t rest[4];     // the last sixteen weights, four a byte
  uint16_t scale;
};
static_assert(sizeof(BlockTq1_0) == 54);

// Five digits of base 3, the first weight's the highest, as a fraction of 256: readers multiply by 3 and look
// at what overflows the byte. The first 32 bytes have weights i, 32 + i, … 128 + i, the next 16 weights 160 +
// i, 176 + i, …, the last four 240 + i, 244 + i, ….
template <class L>
struct Tq1_0 {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockTq1_0);
  static constexpr int kLead = 0;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance&, Words& words) {
    const Float scale = LargestMagnitude<L, kWeights>(weights);
    const Float inverse = InverseOrZero<L>(scale);
    for (int word = 0; word < 13; ++word) {
      const int first = word < 8 ? 4 * word : word < 12 ? 160 + 4 * (word - 8) : 240;
      const int stride = word < 8 ? 32 : word < 12 ? 16 : 4;
      const int digits = word < 12 ? 5 : 4;
      Int bits = 0;
      for (int byte = 0; byte < 4; ++byte) {
        Int number = 0;
        for (int digit = 0; digit < 5; ++digit) {
          number = number + number + number;
          if (digit < digits) number = number + Trit<L>(inverse * weights[first + byte + digit * stride], 1);
        }
        // ceil(number * 256 / 243) = number + ceil(13 * number / 243), by multiplication.
        const Int fraction = L::ShiftDown((number * Int(13) + Int(242)) * Int(69043), 24);
        bits = bits | (number + fraction) << (8 * byte);
      }
      words.Set(word, bits);
    }
    words.Set(13, ToHalf<L>(scale));
  }
};

struct BlockTq2_0 {
  uint8_t levels[kSuperBlock / 4];
  uint16_t scale;
};
static_assert(sizeof(BlockTq2_0) == 66);

// Each half of 128 weights takes 32 bytes: bits 2r, 2r + 1 of byte i are weight 32 * r + i.
template <class L>
struct Tq2_0 {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockTq2_0);
  static constexpr int kLead = 0;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance&, Words& words) {
    const Float scale = LargestMagnitude<L, kWeights>(weights);
    const Float inverse = InverseOrZero<L>(scale);
    for (int word = 0; word < 16; ++word) {
      Int bits = 0;
      for (int byte = 0; byte < 4; ++byte) {
        for (int run = 0; run < 4; ++run) {
          const int i = word / 8 * 128 + run * 32 + word % 8 * 4 + byte;
          bits = bits | Trit<L>(inverse * weights[i], 1) << (8 * byte + 2 * run);
        }
      }
      words.Set(word, bits);
    }
    words.Set(16, ToHalf<L>(scale));
  }
};

struct BlockQ1_0 {
  uint16_t scale;
  uint8_t signs[16];
};
static_assert(sizeof(BlockQ1_0) == 18);

// With two bytes of lead: word 0 has the scale above, words 1…4 a bit for each weight that is not negative.
template <class L>
struct Q1_0 {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = 128;
  static constexpr int kBytes = sizeof(BlockQ1_0);
  static constexpr int kLead = 2;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance&, Words& words) {
    Float sum = 0.0f;
    for (int i = 0; i < kWeights; ++i) sum = sum + L::Abs(weights[i]);
    words.Set(0, ToHalf<L>(sum / Float(128.0f)) << 16);
    for (int word = 0; word < 4; ++word) {
      Int bits = 0;
      for (int i = 0; i < 32; ++i) {
        bits = bits | L::Select(weights[32 * word + i] >= Float(0.0f), Int(1), Int(0)) << i;
      }
      words.Set(1 + word, bits);
    }
  }
};

struct BlockQ2_0 {
  uint16_t scale;
  uint8_t levels[16];
};
static_assert(sizeof(BlockQ2_0) == 18);

// With two bytes of lead: word 0 has the scale above, words 1…4 the levels, four neighbours a byte.
template <class L>
struct Q2_0 {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = 64;
  static constexpr int kBytes = sizeof(BlockQ2_0);
  static constexpr int kLead = 2;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance&, Words& words) {
    const Float scale = LargestMagnitude<L, kWeights>(weights);
    const Float inverse = InverseOrZero<L>(scale);
    words.Set(0, ToHalf<L>(scale) << 16);
    for (int word = 0; word < 4; ++word) {
      Int bits = 0;
      for (int i = 0; i < 16; ++i) bits = bits | Trit<L>(inverse * weights[16 * word + i], 0) << (2 * i);
      words.Set(1 + word, bits);
    }
  }
};

// Decoding first finds the levels as bytes, then scales them: two loops that a compiler vectorises.
template <int kCount>
constexpr void ScaleTrits(const uint8_t* levels, float scale, float* weights) {
  for (int i = 0; i < kCount; ++i) weights[i] = static_cast<float>(levels[i] - 1) * scale;
}

// The digits of `kCount` bytes of TQ1_0, `digits` of each.
template <int kCount>
QUANTD_TABLE void SplitDigits(const uint8_t* bytes, int digits, uint8_t* levels) {
  uint8_t rest[kCount];  // what follows the digit, as a fraction of 256
  for (int i = 0; i < kCount; ++i) rest[i] = bytes[i];
  for (int digit = 0; digit < digits; ++digit) {
    for (int i = 0; i < kCount; ++i) {
      const uint16_t thrice = static_cast<uint16_t>(rest[i] * 3);
      levels[digit * kCount + i] = static_cast<uint8_t>(thrice >> 8);
      rest[i] = static_cast<uint8_t>(thrice);
    }
  }
}

QUANTD_TABLE void DecodeBlock(const BlockTq1_0& block, float* weights) {
  uint8_t levels[kSuperBlock];
  SplitDigits<32>(block.levels, 5, levels);
  SplitDigits<16>(block.levels + 32, 5, levels + 160);
  SplitDigits<4>(block.rest, 4, levels + 240);
  ScaleTrits<kSuperBlock>(levels, HalfToFloat(block.scale), weights);
}

QUANTD_TABLE void DecodeBlock(const BlockTq2_0& block, float* weights) {
  uint8_t levels[kSuperBlock];
  for (int half = 0; half < 2; ++half) {
    for (int run = 0; run < 4; ++run) {
      for (int i = 0; i < 32; ++i)
        levels[128 * half + 32 * run + i] = block.levels[32 * half + i] >> (2 * run) & 3;
    }
  }
  ScaleTrits<kSuperBlock>(levels, HalfToFloat(block.scale), weights);
}

QUANTD_TABLE void DecodeBlock(const BlockQ1_0& block, float* weights) {
  const float scale = HalfToFloat(block.scale);
  for (int byte = 0; byte < 16; ++byte) {
    const uint64_t signs = SpreadBits(block.signs[byte]);
    uint8_t levels[8];
    memcpy(levels, &signs, 8);
    for (int i = 0; i < 8; ++i) weights[8 * byte + i] = static_cast<float>(2 * levels[i] - 1) * scale;
  }
}

QUANTD_TABLE void DecodeBlock(const BlockQ2_0& block, float* weights) {
  uint32_t words[16];
  for (int i = 0; i < 16; ++i) words[i] = SpreadPairs(block.levels[i]);
  uint8_t levels[64];
  memcpy(levels, words, 64);
  ScaleTrits<64>(levels, HalfToFloat(block.scale), weights);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
