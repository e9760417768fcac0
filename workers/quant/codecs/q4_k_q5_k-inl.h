// Q4_K and Q5_K: super-blocks of 8 sub-blocks of 32 weights, each with a 6-bit scale and minimum against the
// super-block's two F16 scales. weight = scale * s * level - minimum * m.
#include <cstdint>

#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/k_quant_importance-inl.h"
#include "workers/quant/codecs/packed_scales-inl.h"
#include "workers/quant/codecs/positive_fit-inl.h"
#include "workers/quant/codecs/range_fit-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_Q4_K_Q5_K_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_Q4_K_Q5_K_INL_H_
#undef QUANTD_Q4_K_Q5_K_INL_H_
#else
#define QUANTD_Q4_K_Q5_K_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// The scales of a super-block, as found and as stored.
template <class L>
struct PackedScaleBlock {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kSubBlock = kSuperBlock / kPackedSubBlocks;

  // Searches all sub-blocks and writes the first four words: the two F16 scales and the packed 6-bit ones.
  // kClamps: levels of scales that FitPositive left above 63 are clamped.
  template <bool kClamps, class Weights, class Importance, class Words>
  QUANTD_LANE void Find(const Weights& weights, const Importance& importance, RangeSearch search,
                        Words& words) {
    top = search.top;
    Int scales[kPackedSubBlocks], minimums[kPackedSubBlocks];
    Int scale, minimum;
    if constexpr (Importance::kPresent) {
      FindWithImportance(weights, importance, search.top, scales, minimums, scale, minimum);
      for (int j = 0; kClamps && j < kPackedSubBlocks; ++j) {
        scales[j] = L::Min(scales[j], Int(63));
        minimums[j] = L::Min(minimums[j], Int(63));
      }
    } else {
      FindPlain(weights, search, scales, minimums, scale, minimum);
    }
    words.Set(0, scale | minimum << 16);
    PackScales<L>(scales, minimums, 1, words);
    for (int j = 0; j < kPackedSubBlocks; ++j) {
      step[j] = FromHalf<L>(scale) * L::ToFloat(scales[j]);
      offset[j] = FromHalf<L>(minimum) * L::ToFloat(minimums[j]);
      some_without_step = some_without_step || L::Any(step[j] == Float(0.0f));
    }
  }

  // Level of weight x of sub-block j, with the stored scales. Where the stored scale is zero the search's
  // level stays, as in ggml.
  QUANTD_LANE Int LevelOf(Float x, int j) const {
    const Int level = L::Min(L::Max(L::NearestInt((x + offset[j]) / step[j]), Int(0)), Int(top));
    if (!some_without_step) return level;
    return L::Select(step[j] == Float(0.0f), L::NearestInt(found[j].LevelOf(x, top)), level);
  }

 private:
  using Columns = typename L::template FloatArray<kSubBlock>;

  template <class Weights>
  QUANTD_LANE void FindPlain(const Weights& weights, RangeSearch search, Int* scales, Int* minimums,
                             Int& scale, Int& minimum) {
    FitRanges<L, kSubBlock, kPackedSubBlocks, /*kAbsolute=*/false>(
        weights, [](const auto& x, int, Columns& w) { WeighPlainly(x, w); }, search, found);
    Float largest_scale = 0.0f, largest_minimum = 0.0f;
    for (int j = 0; j < kPackedSubBlocks; ++j) {
      largest_scale = L::Max(found[j].scale, largest_scale);
      largest_minimum = L::Max(found[j].minimum, largest_minimum);
    }
    const Float inverse_scale = InverseOf(largest_scale), inverse_minimum = InverseOf(largest_minimum);
    for (int j = 0; j < kPackedSubBlocks; ++j) {
      scales[j] = SixBits(inverse_scale * found[j].scale);
      minimums[j] = SixBits(inverse_minimum * found[j].minimum);
    }
    scale = ToHalf<L>(largest_scale / Float(63.0f));
    minimum = ToHalf<L>(largest_minimum / Float(63.0f));
  }

  template <class Slice>
  static QUANTD_LANE void WeighPlainly(const Slice& x, Columns& w) {
    Float sum_of_squares = 0.0f;
    QUANTD_UNROLL
    for (int i = 0; i < kSubBlock; ++i) sum_of_squares = sum_of_squares + x[i] * x[i];
    const Float root_mean_square = L::Sqrt(sum_of_squares / Float(kSubBlock));
    QUANTD_UNROLL
    for (int i = 0; i < kSubBlock; ++i) w.Set(i, root_mean_square + L::Abs(x[i]));
  }

  template <class Weights, class Importance>
  QUANTD_LANE void FindWithImportance(const Weights& weights, const Importance& importance, int top_level,
                                      Int* scales, Int* minimums, Int& scale, Int& minimum) {
    const Float variance = Float(2.0f) * SumOfSquares<L>(weights) / Float(kSuperBlock);
    const RangeSearch search{top_level, -0.9f, 0.05f, 36};
    Float found_scales[kPackedSubBlocks], found_minimums[kPackedSubBlocks], sums[kPackedSubBlocks];
    const auto weigh = [&](const auto& x, int j, Columns& w) {
      sums[j] = WeighByImportance<L, kSubBlock>(x, importance.template Slice<kSubBlock>(j * kSubBlock),
                                                variance, w);
    };
    FitRanges<L, kSubBlock, kPackedSubBlocks, /*kAbsolute=*/false>(weights, weigh, search, found);
    for (int j = 0; j < kPackedSubBlocks; ++j) {
      found_scales[j] = found[j].scale;
      found_minimums[j] = found[j].minimum;
    }
    scale = ToHalf<L>(FitPositive<L, kPackedSubBlocks>(found_scales, sums, 63, scales));
    minimum = ToHalf<L>(FitPositive<L, kPackedSubBlocks>(found_minimums, sums, 63, minimums));
  }

  static QUANTD_LANE Float InverseOf(Float largest) {
    return L::Select(largest > Float(0.0f), Float(63.0f) / largest, Float(0.0f));
  }
  // ggml keeps the low byte and clamps that.
  static QUANTD_LANE Int SixBits(Float value) { return L::Min(L::NearestInt(value) & Int(255), Int(63)); }

  int top;
  RangeFit<L> found[kPackedSubBlocks];
  Float step[kPackedSubBlocks];
  Float offset[kPackedSubBlocks];
  bool some_without_step = false;
};

// Layout in words: 0 scale | minimum << 16, 1…3 packed scales, 4…35 levels; byte i of a pair of sub-blocks
// has the first one's level i below, the second one's above.
template <class L>
struct Q4_K {
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockQ4_K);
  static constexpr int kLead = 0;
  static constexpr RangeSearch kSearch{15, -1.0f, 0.1f, 20};

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    PackedScaleBlock<L> block;
    block.template Find</*kClamps=*/false>(weights, importance, kSearch, words);
    for (int word = 0; word < 32; ++word) {
      const int j = word / 8 * 2, within = word % 8 * 4;
      Int bits = 0;
      for (int byte = 0; byte < 4; ++byte) {
        const Int first = block.LevelOf(weights[j * 32 + within + byte], j);
        const Int second = block.LevelOf(weights[(j + 1) * 32 + within + byte], j + 1);
        bits = bits | (first | second << 4) << (8 * byte);
      }
      words.Set(4 + word, bits);
    }
  }
};

// As Q4_K, with the levels' fifth bits in words 4…11 before the nibbles: bit j of byte i is that of weight i
// of sub-block j.
template <class L>
struct Q5_K {
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockQ5_K);
  static constexpr int kLead = 0;
  static constexpr RangeSearch kSearch{31, -0.5f, 0.1f, 15};

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    PackedScaleBlock<L> block;
    block.template Find</*kClamps=*/true>(weights, importance, kSearch, words);
    for (int column = 0; column < 8; ++column) {
      Int high_bits = 0;
      for (int j = 0; j < kPackedSubBlocks; j += 2) {
        Int nibbles = 0;
        for (int byte = 0; byte < 4; ++byte) {
          const int i = column * 4 + byte;
          const Int first = block.LevelOf(weights[j * 32 + i], j);
          const Int second = block.LevelOf(weights[(j + 1) * 32 + i], j + 1);
          nibbles = nibbles | ((first & Int(15)) | (second & Int(15)) << 4) << (8 * byte);
          high_bits = high_bits | ((first >> 4) | (second >> 4) << 1) << (8 * byte + j);
        }
        words.Set(12 + j / 2 * 8 + column, nibbles);
      }
      words.Set(4 + column, high_bits);
    }
  }
};

constexpr void DecodeWithPackedScales(uint16_t scale, uint16_t minimum, const uint8_t* packed,
                                      const uint8_t* levels, float* weights) {
  constexpr int kSubBlock = kSuperBlock / kPackedSubBlocks;
  for (int j = 0; j < kPackedSubBlocks; ++j) {
    const SubBlockScale stored = UnpackScale(packed, j);
    const float step = HalfToFloat(scale) * static_cast<float>(stored.scale);
    const float offset = HalfToFloat(minimum) * static_cast<float>(stored.minimum);
    for (int i = j * kSubBlock; i < (j + 1) * kSubBlock; ++i)
      weights[i] = step * static_cast<float>(levels[i]) - offset;
  }
}

constexpr void DecodeBlock(const BlockQ4_K& block, float* weights) {
  uint8_t levels[kSuperBlock];
  for (int j = 0; j < kPackedSubBlocks; j += 2) {
    for (int i = 0; i < 32; ++i) {
      levels[j * 32 + i] = block.levels[j * 16 + i] & 15;
      levels[(j + 1) * 32 + i] = block.levels[j * 16 + i] >> 4;
    }
  }
  DecodeWithPackedScales(block.scale, block.minimum, block.scales, levels, weights);
}

constexpr void DecodeBlock(const BlockQ5_K& block, float* weights) {
  uint8_t levels[kSuperBlock];
  for (int j = 0; j < kPackedSubBlocks; j += 2) {
    for (int i = 0; i < 32; ++i) {
      const uint8_t nibbles = block.levels[j * 16 + i], high = block.high_bits[i];
      levels[j * 32 + i] = static_cast<uint8_t>((nibbles & 15) | ((high >> j) & 1) << 4);
      levels[(j + 1) * 32 + i] = static_cast<uint8_t>((nibbles >> 4) | ((high >> (j + 1)) & 1) << 4);
    }
  }
  DecodeWithPackedScales(block.scale, block.minimum, block.scales, levels, weights);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
