// Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: one scale, for the "_1" types one minimum, and one search at most for 32
// weights.
#include <cstdint>

#include "workers/quant/codecs/k_quant_importance-inl.h"
#include "workers/quant/codecs/range_fit-inl.h"
#include "workers/quant/codecs/small_blocks.h"
#include "workers/quant/codecs/symmetric_fit-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"
#include "workers/quant/lanes/inverse-inl.h"

#if defined(QUANTD_SMALL_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_SMALL_BLOCKS_INL_H_
#undef QUANTD_SMALL_BLOCKS_INL_H_
#else
#define QUANTD_SMALL_BLOCKS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Levels 0 … top of a block: min(top, trunc((x - minimum) * inverse + offset)). Where a subnormal scale has
// an infinite inverse there is no number, which counts as level 0: what x86 makes of it.
template <class L>
struct PlainLevels {
  using Float = typename L::Float;
  using Int = typename L::Int;
  Float minimum, inverse, offset;
  int top;

  QUANTD_LANE Int Of(Float x) const {
    const Int level = L::Truncate((x - minimum) * inverse + offset);
    return L::Min(level & Int(127), Int(top));
  }
};

// Nibbles: byte i has weight i below and weight 16 + i above. Returns the levels' fifth bits, bit i that of
// weight i.
template <class L, class LevelOf, class Words>
QUANTD_LANE typename L::Int StoreNibbles(LevelOf level_of, int first_word, Words& words) {
  using Int = typename L::Int;
  Int fifth_bits = 0;
  for (int word = 0; word < 4; ++word) {
    Int nibbles = 0;
    for (int byte = 0; byte < 4; ++byte) {
      const int i = 4 * word + byte;
      const Int low = level_of(i), high = level_of(i + 16);
      nibbles = nibbles | ((low & Int(15)) | (high & Int(15)) << 4) << (8 * byte);
      fifth_bits = fifth_bits | (low >> 4) << i | (high >> 4) << (i + 16);
    }
    words.Set(first_word + word, nibbles);
  }
  return fifth_bits;
}

// Levels around zero: Q4_0 (kBits 4) and Q5_0 (5). With two bytes of lead: word 0 has the scale above, for
// Q5_0 word 1 the fifth bits, then the nibbles.
template <class L, int kBits>
struct SymmetricSmallBlock {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr bool kUsesRowMeanSquare = true;
  static constexpr int kWeights = kSmallBlock;
  static constexpr int kBytes = kBits == 4 ? sizeof(BlockQ4_0) : sizeof(BlockQ5_0);
  static constexpr int kLead = 2;
  static constexpr int kMiddle = 1 << (kBits - 1), kTop = 2 * kMiddle - 1;
  static constexpr float kOffset = static_cast<float>(kMiddle) + 0.5f;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    const auto x = weights.template Slice<kSmallBlock>(0);
    if constexpr (Importance::kPresent) {
      typename L::template FloatArray<kSmallBlock> w;
      WeighByImportance<L, kSmallBlock>(x, importance.template Slice<kSmallBlock>(0),
                                        importance.RowMeanSquare(), w);
      const SymmetricFit<L> fit = FitSymmetric<L, kSmallBlock>(x, w, kMiddle);
      Store(
          fit.scale, [&](int i) { return L::NearestInt(fit.LevelOf(x[i], kMiddle)); }, words);
    } else {
      const Float scale = ScaleOf(PeakOf<L, kSmallBlock>(x));
      const PlainLevels<L> levels{Float(0.0f), InverseOrZero<L>(scale), Float(kOffset), kTop};
      Store(
          scale, [&](int i) { return levels.Of(x[i]); }, words);
    }
  }

  static QUANTD_LANE Float ScaleOf(Float peak) { return peak / Float(static_cast<float>(-kMiddle)); }

 private:
  template <class LevelOf, class Words>
  static QUANTD_LANE void Store(Float scale, LevelOf level_of, Words& words) {
    words.Set(0, ToHalf<L>(scale) << 16);
    const Int fifth_bits = StoreNibbles<L>(level_of, kBits == 4 ? 1 : 2, words);
    if constexpr (kBits == 5) words.Set(1, fifth_bits);
  }
};

// Levels from the minimum: Q4_1 and Q5_1. Words: 0 scale | minimum << 16, for Q5_1 1 the fifth bits, then the
// nibbles.
template <class L, int kBits>
struct RangeSmallBlock {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr bool kUsesRowMeanSquare = true;
  static constexpr int kWeights = kSmallBlock;
  static constexpr int kBytes = kBits == 4 ? sizeof(BlockQ4_1) : sizeof(BlockQ5_1);
  static constexpr int kLead = 0;
  static constexpr int kTop = (1 << kBits) - 1;
  static constexpr float kOffset = 0.5f;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    const auto x = weights.template Slice<kSmallBlock>(0);
    if constexpr (Importance::kPresent) {
      typename L::template FloatArray<kSmallBlock> w;
      WeighByImportance<L, kSmallBlock>(x, importance.template Slice<kSmallBlock>(0),
                                        importance.RowMeanSquare(), w);
      const RangeSearch search{kTop, -0.9f, 0.05f, 36};
      const RangeFit<L> fit = FitRange<L, kSmallBlock, /*kAbsolute=*/false>(x, w, search);
      Store(
          fit.scale, -fit.minimum, [&](int i) { return L::NearestInt(fit.LevelOf(x[i], kTop)); }, words);
    } else {
      Float low = x[0], high = x[0];
      QUANTD_UNROLL
      for (int i = 1; i < kSmallBlock; ++i) {
        low = L::Min(x[i], low);
        high = L::Max(x[i], high);
      }
      const Float scale = ScaleOf(low, high);
      const PlainLevels<L> levels{low, InverseOrZero<L>(scale), Float(kOffset), kTop};
      Store(
          scale, low, [&](int i) { return levels.Of(x[i]); }, words);
    }
  }

  static QUANTD_LANE Float ScaleOf(Float low, Float high) {
    return (high - low) / Float(static_cast<float>(kTop));
  }

 private:
  template <class LevelOf, class Words>
  static QUANTD_LANE void Store(Float scale, Float minimum, LevelOf level_of, Words& words) {
    words.Set(0, ToHalf<L>(scale) | ToHalf<L>(minimum) << 16);
    const Int fifth_bits = StoreNibbles<L>(level_of, kBits == 4 ? 1 : 2, words);
    if constexpr (kBits == 5) words.Set(1, fifth_bits);
  }
};

template <class L>
using Q4_0 = SymmetricSmallBlock<L, 4>;
template <class L>
using Q5_0 = SymmetricSmallBlock<L, 5>;
template <class L>
using Q4_1 = RangeSmallBlock<L, 4>;
template <class L>
using Q5_1 = RangeSmallBlock<L, 5>;

// With two bytes of lead: word 0 has the scale above, words 1…8 the levels.
template <class L>
struct Q8_0 {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSmallBlock;
  static constexpr int kBytes = sizeof(BlockQ8_0);
  static constexpr int kLead = 2;

  static QUANTD_LANE Float ScaleOf(Float magnitude) { return magnitude / Float(127.0f); }

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance&, Words& words) {
    Float magnitude = 0.0f;
    for (int i = 0; i < kSmallBlock; ++i) magnitude = L::Max(magnitude, L::Abs(weights[i]));
    const Float scale = ScaleOf(magnitude);
    const Float inverse = InverseOrZero<L>(scale);
    words.Set(0, ToHalf<L>(scale) << 16);
    // Half away from zero, as roundf: the constant is the largest float below one half.
    const Int half = L::Bits(Float(0.49999997f));
    for (int word = 0; word < 8; ++word) {
      Int packed = 0;
      for (int byte = 0; byte < 4; ++byte) {
        const Float level = weights[4 * word + byte] * inverse;
        const Int signed_half = (L::Bits(level) & Int(INT32_MIN)) | half;
        packed = packed | (L::Truncate(level + L::FromBits(signed_half)) & Int(255)) << (8 * byte);
      }
      words.Set(1 + word, packed);
    }
  }
};

constexpr int NibbleOf(const uint8_t* levels, int i) { return i < 16 ? levels[i] & 15 : levels[i - 16] >> 4; }
constexpr int FifthBitOf(const uint8_t* bits, int i) { return (bits[i / 8] >> (i % 8) & 1) << 4; }

constexpr void DecodeBlock(const BlockQ4_0& block, float* weights) {
  const float scale = HalfToFloat(block.scale);
  for (int i = 0; i < 32; ++i) weights[i] = static_cast<float>(NibbleOf(block.levels, i) - 8) * scale;
}

constexpr void DecodeBlock(const BlockQ4_1& block, float* weights) {
  const float scale = HalfToFloat(block.scale), minimum = HalfToFloat(block.minimum);
  for (int i = 0; i < 32; ++i) weights[i] = static_cast<float>(NibbleOf(block.levels, i)) * scale + minimum;
}

constexpr void DecodeBlock(const BlockQ5_0& block, float* weights) {
  const float scale = HalfToFloat(block.scale);
  for (int i = 0; i < 32; ++i) {
    const int level = NibbleOf(block.levels, i) | FifthBitOf(block.high_bits, i);
    weights[i] = static_cast<float>(level - 16) * scale;
  }
}

constexpr void DecodeBlock(const BlockQ5_1& block, float* weights) {
  const float scale = HalfToFloat(block.scale), minimum = HalfToFloat(block.minimum);
  for (int i = 0; i < 32; ++i) {
    const int level = NibbleOf(block.levels, i) | FifthBitOf(block.high_bits, i);
    weights[i] = static_cast<float>(level) * scale + minimum;
  }
}

constexpr void DecodeBlock(const BlockQ8_0& block, float* weights) {
  const float scale = HalfToFloat(block.scale);
  for (int i = 0; i < 32; ++i) weights[i] = static_cast<float>(block.levels[i]) * scale;
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
