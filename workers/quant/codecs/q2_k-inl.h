// Q2_K: super-blocks of 16 sub-blocks of 16 weights, each with a 4-bit scale and minimum against the
// super-block's two F16 scales. weight = scale * s * level - minimum * m, level in 0 … 3.
#include <cstdint>

#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/k_quant_importance-inl.h"
#include "workers/quant/codecs/positive_fit-inl.h"
#include "workers/quant/codecs/range_fit-inl.h"
#include "workers/quant/codecs/two_bit_planes-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_Q2_K_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_Q2_K_INL_H_
#undef QUANTD_Q2_K_INL_H_
#else
#define QUANTD_Q2_K_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Layout in words: 0…3 a byte of scale and minimum for each sub-block, 4…19 levels, 20 scale | minimum << 16.
template <class L>
struct Q2_K {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockQ2_K);
  static constexpr int kLead = 0;
  static constexpr int kSubBlock = 16;
  static constexpr int kSubBlocks = kSuperBlock / kSubBlock;
  static constexpr RangeSearch kSearch{3, -0.5f, 0.1f, 15};
  static constexpr RangeSearch kSearchWithImportance{3, -0.9f, 0.05f, 36};

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    RangeFit<L> found[kSubBlocks];
    Float scales[kSubBlocks], minimums[kSubBlocks], sums[kSubBlocks];
    Float variance = 0.0f;
    if constexpr (Importance::kPresent) variance = SumOfSquares<L>(weights) / Float(kSuperBlock);
    using Columns = typename L::template FloatArray<kSubBlock>;
    if constexpr (Importance::kPresent) {
      const auto weigh = [&](const auto& x, int j, Columns& w) {
        sums[j] = WeighByImportance<L, kSubBlock>(x, importance.template Slice<kSubBlock>(j * kSubBlock),
                                                  variance, w);
      };
      FitRanges<L, kSubBlock, kSubBlocks, /*kAbsolute=*/false>(weights, weigh, kSearchWithImportance, found);
    } else {
      const auto weigh = [](const auto& x, int, Columns& w) {
        QUANTD_UNROLL
        for (int i = 0; i < kSubBlock; ++i) w.Set(i, L::Abs(x[i]));
      };
      FitRanges<L, kSubBlock, kSubBlocks, /*kAbsolute=*/true>(weights, weigh, kSearch, found);
    }
    for (int j = 0; j < kSubBlocks; ++j) {
      scales[j] = found[j].scale;
      minimums[j] = found[j].minimum;
    }
    Int scale_levels[kSubBlocks], minimum_levels[kSubBlocks];
    Int scale, minimum;
    if constexpr (Importance::kPresent) {
      scale = ToHalf<L>(FitPositive<L, kSubBlocks>(scales, sums, 15, scale_levels));
      minimum = ToHalf<L>(FitPositive<L, kSubBlocks>(minimums, sums, 15, minimum_levels));
    } else {
      scale = FitLargest(scales, scale_levels);
      minimum = FitLargest(minimums, minimum_levels);
    }
    words.Set(20, scale | minimum << 16);
    Int planes[kTwoBitWords];
    for (int word = 0; word < kTwoBitWords; ++word) planes[word] = Int(0);
    for (int j = 0; j < kSubBlocks; ++j) {
      const Int byte = (scale_levels[j] | minimum_levels[j] << 4) & Int(255);
      const Float step = FromHalf<L>(scale) * L::ToFloat(byte & Int(15));
      const Float offset = FromHalf<L>(minimum) * L::ToFloat(byte >> 4);
      const auto no_step = step == Float(0.0f);
      const bool some_without_step = L::Any(no_step);
      scale_levels[j] = byte;
      for (int i = 0; i < kSubBlock; ++i) {
        const Float x = weights[j * kSubBlock + i];
        Int level = L::Min(L::Max(L::NearestInt((x + offset) / step), Int(0)), Int(3));
        // Where the stored scale is zero the search's levels stay, as in ggml.
        if (some_without_step) level = L::Select(no_step, L::NearestInt(found[j].LevelOf(x, 3)), level);
        Int& word = planes[FirstTwoBitWord(j) + i / 4];
        word = word | level << (i % 4 * 8 + TwoBitShift(j));
      }
    }
    for (int word = 0; word < 4; ++word) {
      words.Set(word, scale_levels[4 * word] | scale_levels[4 * word + 1] << 8 |
                          scale_levels[4 * word + 2] << 16 | scale_levels[4 * word + 3] << 24);
    }
    for (int word = 0; word < kTwoBitWords; ++word) words.Set(4 + word, planes[word]);
  }

 private:
  // Levels 0 … 15 of values against the largest; returns the F16 scale.
  static QUANTD_LANE Int FitLargest(const Float* values, Int* levels) {
    Float largest = 0.0f;
    for (int j = 0; j < kSubBlocks; ++j) largest = L::Max(values[j], largest);
    const auto some = largest > Float(0.0f);
    const Float inverse = Float(15.0f) / largest;
    for (int j = 0; j < kSubBlocks; ++j)
      levels[j] = L::Select(some, L::NearestInt(inverse * values[j]), Int(0));
    return ToHalf<L>(L::Select(some, largest / Float(15.0f), Float(0.0f)));
  }
};

constexpr void DecodeBlock(const BlockQ2_K& block, float* weights) {
  uint8_t levels[kSuperBlock] = {};
  SplitTwoBitPlanes(block.levels, levels);
  const float scale = HalfToFloat(block.scale), minimum = HalfToFloat(block.minimum);
  for (int j = 0; j < 16; ++j) {
    const float step = scale * static_cast<float>(block.scales[j] & 15);
    const float offset = minimum * static_cast<float>(block.scales[j] >> 4);
    for (int i = 16 * j; i < 16 * (j + 1); ++i) weights[i] = step * static_cast<float>(levels[i]) - offset;
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
