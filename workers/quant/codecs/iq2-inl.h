// IQ2_XXS, IQ2_XS and IQ2_S: groups of 8 weights, whose magnitudes are a point of a grid (iq_grid.h) and
// whose signs are stored apart. weight = sign * scale * (2 * sub-block's scale + 1) / 8 * magnitude; the
// levels 0, 1, 2 stand for the magnitudes 8, 25, 43. Layouts follow ggml (src/ggml-common.h).
#include <cstdint>

#include "workers/quant/codecs/iq_fit-inl.h"
#include "workers/quant/codecs/iq_super_block-inl.h"
#include "workers/quant/codecs/positive_fit-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_IQ2_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_IQ2_INL_H_
#undef QUANTD_IQ2_INL_H_
#else
#define QUANTD_IQ2_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

struct BlockIq2Xxs {
  uint16_t scale;
  uint16_t groups[32];  // for each 32 weights: four bytes, indices; 32 bits, 4 x 7 signs and the scale above
};
static_assert(sizeof(BlockIq2Xxs) == 66);

// With two bytes of lead: word 0 has the scale above, words 1 + 2 * b and 2 + 2 * b are sub-block b's.
template <class L>
struct Iq2Xxs {
  using Float = typename L::Float;
  using Int = typename L::Int;
  using Mask = typename L::Mask;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockIq2Xxs);
  static constexpr int kLead = 2;
  static constexpr IqGridName kGrid = IqGridName::kIq2Xxs;
  static constexpr bool kRequiresImportance = true;
  static constexpr int kSubBlocks = 8;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const IqGrid& grid, const Weights& x, const Importance& importance,
                                 Words& words) {
    const Float variance = SumOfSquares<L>(x) * Float(1.0f / kSuperBlock);
    Float scales[kSubBlocks];
    for (int b = 0; b < kSubBlocks; ++b) {
      IqFit<L, IqGroupOf8, 32> fit(grid);
      Int signs[4];
      TakeSubBlock<L, 32, IqSigns::kEven>(x, importance, 32 * b, variance, Float(0.0f), fit, signs);
      const Float scale = FirstScale(fit), largest = scale * Float(3.0f);
      const Mask is_empty = (fit.LargestMagnitude() < Float(kNegligible)) | (largest <= Float(0.0f));
      fit.template TryScales<6>(largest, 0.1f, scale, true);
      fit.Refine(Float(0.0f) == Float(0.0f));
      const Mask is_negative = fit.scale() < Float(0.0f);
      scales[b] = L::Select(is_empty, Float(0.0f), L::Select(is_negative, -fit.scale(), fit.scale()));
      Int indices = 0, all_signs = 0;
      for (int group = 0; group < 4; ++group) {
        indices = indices | fit.PointIndex(group) << (8 * group);
        all_signs = all_signs | FlippedWhere<L>(is_negative, signs[group], 127) << (7 * group);
      }
      words.Set(1 + 2 * b, L::Select(is_empty, Int(0), indices));
      words.Set(2 + 2 * b, L::Select(is_empty, Int(0), all_signs));
    }
    StoreScales(scales, words);
  }

 private:
  template <class Fit>
  static QUANTD_LANE Float FirstScale(const Fit& fit) {
    Float x[32], w[32];
    Int levels[32];
    QUANTD_UNROLL
    for (int i = 0; i < 32; ++i) {
      x[i] = fit.magnitude(i);
      w[i] = fit.weight(i);
    }
    return FitPositive<L, 32>(x, w, 4, levels);
  }

  template <class Words>
  static QUANTD_LANE void StoreScales(const Float* scales, Words& words) {
    const Float largest = LargestOf<L, kSubBlocks>(scales), unit = largest / Float(31.0f);
    const Mask is_zero = largest == Float(0.0f);
    const Float inverse = Float(1.0f) / unit;
    words.Set(0, ToHalf<L>(unit) << 16);
    for (int b = 0; b < kSubBlocks; ++b) {
      const Int signs_and_scale = words.Get(2 + 2 * b) | IqScaleLevel<L>(scales[b], inverse) << 28;
      words.Set(1 + 2 * b, L::Select(is_zero, Int(0), words.Get(1 + 2 * b)));
      words.Set(2 + 2 * b, L::Select(is_zero, Int(0), signs_and_scale));
    }
  }
};

// A sub-block of 16 weights of IQ2_XS and IQ2_S as the search leaves it.
template <class L>
struct Iq2SubBlock {
  typename L::Float scale;
  typename L::Int indices[2];
  typename L::Int signs[2];
};

// Zero where all magnitudes are below `negligible`.
template <class L, IqSigns kSigns, class Weights, class Importance>
QUANTD_LANE Iq2SubBlock<L> FitIq2SubBlock(const IqGrid& grid, const Weights& x, const Importance& importance,
                                          int first, typename L::Float variance, float negligible) {
  using Float = typename L::Float;
  using Int = typename L::Int;
  using Mask = typename L::Mask;
  IqFit<L, IqGroupOf8, 16> fit(grid);
  Int signs[2];
  TakeSubBlock<L, 16, kSigns>(x, importance, first, variance, Float(0.25f) * variance, fit, signs);
  const Float largest = fit.LargestMagnitude();
  const Mask is_empty = largest < Float(negligible);
  fit.template TryScales<9>(largest, 0.1f, largest / Float(5.0f), true);
  fit.Refine(Float(0.0f) > Float(0.0f));
  const Mask is_negative = fit.scale() < Float(0.0f);
  Iq2SubBlock<L> found;
  found.scale = L::Select(is_empty, Float(0.0f), L::Select(is_negative, -fit.scale(), fit.scale()));
  for (int group = 0; group < 2; ++group) {
    const Int flipped = FlippedWhere<L>(is_negative, signs[group], kSigns == IqSigns::kEven ? 127 : 255);
    found.indices[group] = L::Select(is_empty, Int(0), fit.PointIndex(group));
    found.signs[group] = L::Select(is_empty, Int(0), flipped);
  }
  return found;
}

// The sixteen scales' levels in two words.
template <class L, class Words>
QUANTD_LANE void StoreIq2Scales(const typename L::Float* scales, typename L::Float inverse, int word,
                                Words& words) {
  using Int = typename L::Int;
  for (int half = 0; half < 2; ++half) {
    Int levels = 0;
    for (int i = 0; i < 8; ++i) levels = levels | IqScaleLevel<L>(scales[8 * half + i], inverse) << (4 * i);
    words.Set(word + half, levels);
  }
}

struct BlockIq2Xs {
  uint16_t scale;
  uint16_t groups[32];  // 9 bits, index; 7 bits, signs
  uint8_t scales[8];
};
static_assert(sizeof(BlockIq2Xs) == 74);

// With two bytes of lead: word 0 has the scale above, word 1 + b is sub-block b's two groups, words 17 and 18
// the sub-blocks' scales.
template <class L>
struct Iq2Xs {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockIq2Xs);
  static constexpr int kLead = 2;
  static constexpr IqGridName kGrid = IqGridName::kIq2Xs;
  static constexpr bool kRequiresImportance = true;
  static constexpr int kSubBlocks = 16;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const IqGrid& grid, const Weights& x, const Importance& importance,
                                 Words& words) {
    const Float variance = SumOfSquares<L>(x) * Float(1.0f / kSuperBlock);
    Float scales[kSubBlocks];
    for (int b = 0; b < kSubBlocks; ++b) {
      const Iq2SubBlock<L> found =
          FitIq2SubBlock<L, IqSigns::kEven>(grid, x, importance, 16 * b, variance, kNegligible);
      scales[b] = found.scale;
      words.Set(1 + b,
                found.indices[0] | found.signs[0] << 9 | found.indices[1] << 16 | found.signs[1] << 25);
    }
    const Float largest = LargestOf<L, kSubBlocks>(scales), unit = largest / Float(31.0f);
    words.Set(0, ToHalf<L>(unit) << 16);
    StoreIq2Scales<L>(scales, Float(1.0f) / unit, 17, words);
    for (int b = 0; b < kSubBlocks; ++b)
      words.Set(1 + b, L::Select(largest == Float(0.0f), Int(0), words.Get(1 + b)));
  }
};

struct BlockIq2S {
  uint16_t scale;
  uint8_t indices[32];  // low 8 of 10 bits
  uint8_t signs[32];
  uint8_t indices_high[8];
  uint8_t scales[8];
};
static_assert(sizeof(BlockIq2S) == 82);

// With two bytes of lead: word 0 has the scale above, words 1…8 the indices, 9…16 the signs, 17 and 18 the
// indices' high bits, 19 and 20 the sub-blocks' scales.
template <class L>
struct Iq2S {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockIq2S);
  static constexpr int kLead = 2;
  static constexpr IqGridName kGrid = IqGridName::kIq2S;
  static constexpr int kSubBlocks = 16;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const IqGrid& grid, const Weights& x, const Importance& importance,
                                 Words& words) {
    const Float variance = SumOfSquares<L>(x) * Float(2.0f / kSuperBlock);
    Float scales[kSubBlocks];
    Int indices = 0, signs = 0, high = 0;
    for (int b = 0; b < kSubBlocks; ++b) {
      const Iq2SubBlock<L> found =
          FitIq2SubBlock<L, IqSigns::kAll>(grid, x, importance, 16 * b, variance, 1e-8f);
      scales[b] = found.scale;
      for (int group = 0; group < 2; ++group) {
        const int at = 2 * (b % 2) + group;  // in the word
        indices = indices | (found.indices[group] & Int(255)) << (8 * at);
        signs = signs | found.signs[group] << (8 * at);
        high = high | (found.indices[group] >> 8) << (8 * (b / 2 % 4) + 2 * at);
      }
      if (b % 2 == 1) {
        words.Set(1 + b / 2, indices);
        words.Set(9 + b / 2, signs);
        indices = signs = 0;
      }
      if (b % 8 == 7) {
        words.Set(17 + b / 8, high);
        high = 0;
      }
    }
    const Float unit = LargestOf<L, kSubBlocks>(scales) / Float(31.0f);
    words.Set(0, ToHalf<L>(unit * Float(0.9875f)) << 16);
    StoreIq2Scales<L>(scales, Float(1.0f) / unit, 19, words);
  }
};

// Eight weights: the levels of a point, packed, and their signs.
QUANTD_TABLE void DecodeGroupOf8(int32_t point, int signs, float scale, float* weights) {
  for (int i = 0; i < 8; ++i) {
    const int level = point >> (2 * i) & 3;
    const float magnitude = scale * static_cast<float>(8 + 17 * level + level / 2);
    weights[i] = (signs >> i & 1) != 0 ? -magnitude : magnitude;
  }
}

QUANTD_TABLE float Iq2Scale(uint16_t scale, int level) {
  return HalfToFloat(scale) * (0.5f + static_cast<float>(level)) * 0.25f;
}

QUANTD_TABLE void DecodeBlock(const IqGrid& grid, const BlockIq2Xxs& block, float* weights) {
  for (int b = 0; b < 8; ++b) {
    const uint16_t* groups = block.groups + 4 * b;
    const uint32_t signs_and_scale = groups[2] | static_cast<uint32_t>(groups[3]) << 16;
    const float scale = Iq2Scale(block.scale, static_cast<int>(signs_and_scale >> 28));
    for (int group = 0; group < 4; ++group) {
      const int index = groups[group / 2] >> (group % 2 * 8) & 255;
      const int signs = EightSigns(static_cast<int>(signs_and_scale >> (7 * group) & 127));
      DecodeGroupOf8(grid.points[index], signs, scale, weights + 32 * b + 8 * group);
    }
  }
}

QUANTD_TABLE void DecodeBlock(const IqGrid& grid, const BlockIq2Xs& block, float* weights) {
  for (int group = 0; group < 32; ++group) {
    const float scale = Iq2Scale(block.scale, block.scales[group / 4] >> (group / 2 % 2 * 4) & 15);
    const int bits = block.groups[group];
    DecodeGroupOf8(grid.points[bits & 511], EightSigns(bits >> 9), scale, weights + 8 * group);
  }
}

QUANTD_TABLE void DecodeBlock(const IqGrid& grid, const BlockIq2S& block, float* weights) {
  for (int group = 0; group < 32; ++group) {
    const float scale = Iq2Scale(block.scale, block.scales[group / 4] >> (group / 2 % 2 * 4) & 15);
    const int high = block.indices_high[group / 4] >> (group % 4 * 2) & 3;
    DecodeGroupOf8(grid.points[block.indices[group] | high << 8], block.signs[group], scale,
                   weights + 8 * group);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
