// IQ3_XXS and IQ3_S: groups of 4 weights, whose magnitudes are a point of a grid (iq_grid.h) and whose signs
// are stored apart. IQ3_XXS: weight = sign * scale * (2 * sub-block's scale + 1) / 4 * magnitude; the levels
// 0 … 7 stand for the magnitudes 4, 12, … 52, 62. IQ3_S: weight = sign * scale * (2 * sub-block's scale + 1)
// * (2 * level + 1). Layouts follow ggml (src/ggml-common.h).
#include <cstdint>

#include "workers/quant/codecs/iq_fit-inl.h"
#include "workers/quant/codecs/iq_super_block-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_IQ3_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_IQ3_INL_H_
#undef QUANTD_IQ3_INL_H_
#else
#define QUANTD_IQ3_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

struct BlockIq3Xxs {
  uint16_t scale;
  uint8_t indices[64];
  uint16_t signs_and_scales[16];  // for each 32 weights 32 bits: 4 x 7 signs and the scale above
};
static_assert(sizeof(BlockIq3Xxs) == 98);

// With two bytes of lead: word 0 has the scale above, words 1…16 the indices, 17 + b are sub-block b's signs
// and scale.
template <class L>
struct Iq3Xxs {
  using Float = typename L::Float;
  using Int = typename L::Int;
  using Mask = typename L::Mask;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockIq3Xxs);
  static constexpr int kLead = 2;
  static constexpr IqGridName kGrid = IqGridName::kIq3Xxs;
  static constexpr int kSubBlocks = 8;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const IqGrid& grid, const Weights& x, const Importance& importance,
                                 Words& words) {
    const Float variance = SumOfSquares<L>(x) * Float(2.0f / kSuperBlock);
    Float scales[kSubBlocks];
    for (int b = 0; b < kSubBlocks; ++b) {
      IqFit<L, IqGroupOf4, 32> fit(grid);
      Int signs[4];
      TakeSubBlock<L, 32, IqSigns::kEven>(x, importance, 32 * b, variance, Float(0.0f), fit, signs);
      const Float largest = fit.LargestMagnitude();
      const Mask is_empty = largest < Float(1e-8f);
      fit.template TryScales<15>(largest, 0.2f, largest / Float(15.0f), true);
      fit.Refine(Float(0.0f) > Float(0.0f));
      const Mask is_negative = fit.scale() < Float(0.0f);
      scales[b] = L::Select(is_empty, Float(0.0f), L::Select(is_negative, -fit.scale(), fit.scale()));
      Int all_signs = 0;
      for (int k = 0; k < 4; ++k)
        all_signs = all_signs | FlippedWhere<L>(is_negative, signs[k], 127) << (7 * k);
      words.Set(17 + b, L::Select(is_empty, Int(0), all_signs));
      for (int half = 0; half < 2; ++half) {
        Int indices = 0;
        for (int i = 0; i < 4; ++i) indices = indices | fit.PointIndex(4 * half + i) << (8 * i);
        words.Set(1 + 2 * b + half, L::Select(is_empty, Int(0), indices));
      }
    }
    StoreScales(scales, words);
  }

 private:
  template <class Words>
  static QUANTD_LANE void StoreScales(const Float* scales, Words& words) {
    const Float largest = LargestOf<L, kSubBlocks>(scales), unit = largest / Float(31.0f);
    const Mask is_zero = largest == Float(0.0f);
    const Float inverse = Float(1.0f) / unit;
    words.Set(0, ToHalf<L>(unit * Float(1.0125f)) << 16);
    for (int word = 1; word < 17; ++word) words.Set(word, L::Select(is_zero, Int(0), words.Get(word)));
    for (int b = 0; b < kSubBlocks; ++b) {
      const Int signs_and_scale = words.Get(17 + b) | IqScaleLevel<L>(scales[b], inverse) << 28;
      words.Set(17 + b, L::Select(is_zero, Int(0), signs_and_scale));
    }
  }
};

struct BlockIq3S {
  uint16_t scale;
  uint8_t indices[64];  // low 8 of 9 bits
  uint8_t indices_high[8];
  uint8_t signs[32];
  uint8_t scales[4];
};
static_assert(sizeof(BlockIq3S) == 110);

// With two bytes of lead: word 0 has the scale above, words 1…16 the indices, 17 and 18 their high bits,
// 19…26 the signs, 27 the sub-blocks' scales.
template <class L>
struct Iq3S {
  using Float = typename L::Float;
  using Int = typename L::Int;
  using Mask = typename L::Mask;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockIq3S);
  static constexpr int kLead = 2;
  static constexpr IqGridName kGrid = IqGridName::kIq3S;
  static constexpr int kSubBlocks = 8;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const IqGrid& grid, const Weights& x, const Importance& importance,
                                 Words& words) {
    const Float variance = SumOfSquares<L>(x) * Float(2.0f / kSuperBlock);
    for (int word = 1; word < 27; ++word) words.Set(word, Int(0));
    Float scales[kSubBlocks];
    Int place = 0;
    for (int b = 0; b < kSubBlocks; ++b) {
      IqFit<L, IqGroupOf4, 32> fit(grid);
      Int signs[4];
      TakeSubBlock<L, 32, IqSigns::kAll>(x, importance, 32 * b, variance, Float(0.0f), fit, signs);
      const Float largest = fit.LargestMagnitude();
      const Mask is_empty = largest == Float(0.0f);
      fit.template TryScales<9>(largest, 0.2f, largest / Float(15.0f), false);
      fit.Refine(fit.AnyOffGrid());
      const Mask is_negative = fit.scale() < Float(0.0f);
      scales[b] = L::Select(is_empty, Float(0.0f), L::Select(is_negative, -fit.scale(), fit.scale()));
      Int all_signs = 0;
      for (int k = 0; k < 4; ++k)
        all_signs = all_signs | FlippedWhere<L>(is_negative, signs[k], 255) << (8 * k);
      StoreSubBlock(fit, all_signs, b, L::Select(is_empty, Int(-1), place), words);
      place = place + L::Select(is_empty, Int(0), Int(1));
    }
    const Float unit = LargestOf<L, kSubBlocks>(scales) / Float(31.0f);
    const Float inverse = Float(1.0f) / unit;
    Int levels = 0;
    for (int b = 0; b < kSubBlocks; ++b) levels = levels | IqScaleLevel<L>(scales[b], inverse) << (4 * b);
    words.Set(0, ToHalf<L>(unit * Float(1.033f)) << 16);
    words.Set(27, levels);
  }

 private:
  // ggml leaves no room for indices and signs of sub-blocks of zeros (-1): those of later ones move up to
  // `place`, though not the high bits and scales. (The type's readers do not know that.)
  template <class Fit, class Words>
  static QUANTD_LANE void StoreSubBlock(const Fit& fit, Int signs, int b, Int place, Words& words) {
    Int indices[2] = {0, 0}, high = 0;
    for (int i = 0; i < 8; ++i) {
      const Int index = fit.PointIndex(i);
      indices[i / 4] = indices[i / 4] | (index & Int(255)) << (8 * (i % 4));
      high = high | (index >> 8) << i;
    }
    const Mask is_stored = place >= Int(0);
    words.Set(17 + b / 4, words.Get(17 + b / 4) | L::Select(is_stored, high, Int(0)) << (8 * (b % 4)));
    for (int to = L::Any(!(place == Int(b))) ? 0 : b; to <= b; ++to) {
      const Mask here = place == Int(to);
      words.Set(1 + 2 * to, L::Select(here, indices[0], words.Get(1 + 2 * to)));
      words.Set(2 + 2 * to, L::Select(here, indices[1], words.Get(2 + 2 * to)));
      words.Set(19 + to, L::Select(here, signs, words.Get(19 + to)));
    }
  }
};

// Four weights: the magnitudes of a point's levels, and four signs.
QUANTD_TABLE void DecodeGroupOf4(int32_t point, int signs, float scale, bool is_xxs, float* weights) {
  for (int i = 0; i < 4; ++i) {
    const int level = point >> (3 * i) & 7;
    const float magnitude =
        scale * static_cast<float>(is_xxs ? 4 + 8 * level + level / 7 * 2 : 2 * level + 1);
    weights[i] = (signs >> i & 1) != 0 ? -magnitude : magnitude;
  }
}

QUANTD_TABLE void DecodeBlock(const IqGrid& grid, const BlockIq3Xxs& block, float* weights) {
  for (int b = 0; b < 8; ++b) {
    const uint16_t* halves = block.signs_and_scales + 2 * b;
    const uint32_t signs_and_scale = halves[0] | static_cast<uint32_t>(halves[1]) << 16;
    const float scale = HalfToFloat(block.scale) * (0.5f + static_cast<float>(signs_and_scale >> 28)) * 0.5f;
    for (int group = 0; group < 8; ++group) {
      const int signs = EightSigns(static_cast<int>(signs_and_scale >> (group / 2 * 7) & 127));
      DecodeGroupOf4(grid.points[block.indices[8 * b + group]], signs >> (group % 2 * 4), scale, true,
                     weights + 32 * b + 4 * group);
    }
  }
}

QUANTD_TABLE void DecodeBlock(const IqGrid& grid, const BlockIq3S& block, float* weights) {
  for (int group = 0; group < 64; ++group) {
    const int level = block.scales[group / 16] >> (group / 8 % 2 * 4) & 15;
    const float scale = HalfToFloat(block.scale) * static_cast<float>(1 + 2 * level);
    const int index = block.indices[group] | (block.indices_high[group / 8] >> (group % 8) & 1) << 8;
    DecodeGroupOf4(grid.points[index], block.signs[group / 2] >> (group % 2 * 4), scale, false,
                   weights + 4 * group);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
