// Q3_K: super-blocks of 16 sub-blocks of 16 weights, each with a 6-bit scale against the super-block's F16
// scale. weight = scale * (s - 32) * (level - 4), level in 0 … 7.
#include <cstdint>

#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/k_quant_importance-inl.h"
#include "workers/quant/codecs/symmetric_fit-inl.h"
#include "workers/quant/codecs/two_bit_planes-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_Q3_K_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_Q3_K_INL_H_
#undef QUANTD_Q3_K_INL_H_
#else
#define QUANTD_Q3_K_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Layout in words: 0…7 the levels' third bits, bit p / 32 of byte p % 32 that of weight p; 8…23 their low two
// bits; 24…26 the scales: bytes 0…7 the low nibbles of scales 0…7 (below) and 8…15 (above), bytes 8…11 the
// high two bits, those of scale j at bit 2 * (j / 4) of byte 8 + j % 4; 27 the F16 scale.
template <class L>
struct Q3_K {
  using Float = typename L::Float;
  using Int = typename L::Int;
  using Levels = typename L::template FloatArray<16>;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockQ3_K);
  static constexpr int kLead = 0;
  static constexpr int kSubBlock = 16;
  static constexpr int kSubBlocks = kSuperBlock / kSubBlock;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    Float variance = 0.0f;
    if constexpr (Importance::kPresent)
      variance = Float(2.0f) * SumOfSquares<L>(weights) / Float(kSuperBlock);
    Float scales[kSubBlocks], sums[kSubBlocks];
    for (int j = 0; j < kSubBlocks; ++j) {
      Levels levels;
      scales[j] = FindSubBlock(weights, importance, variance, j, levels, sums[j]);
    }
    Int stored[kSubBlocks];
    const Int scale = FitScales<Importance::kPresent>(scales, sums, stored);
    PackScales(stored, scale, words);

    Int planes[kTwoBitWords], high_bits[8];
    for (int word = 0; word < kTwoBitWords; ++word) planes[word] = Int(0);
    for (int word = 0; word < 8; ++word) high_bits[word] = Int(0);
    for (int j = 0; j < kSubBlocks; ++j) {
      const Float step = FromHalf<L>(scale) * L::ToFloat(stored[j] - Int(32));
      const auto no_step = step == Float(0.0f);
      const bool any_without = L::Any(no_step);
      Levels found;
      Float unused;
      // Where the stored scale is zero the search's levels stay, as in ggml: search again.
      if (any_without) FindSubBlock(weights, importance, variance, j, found, unused);
      for (int i = 0; i < kSubBlock; ++i) {
        const Int nearest = L::NearestInt(weights[j * kSubBlock + i] / step);
        Int level = L::Min(L::Max(nearest, Int(-4)), Int(3)) + Int(4);
        if (any_without) level = L::Select(no_step, L::NearestInt(found[i]), level);
        Int& plane = planes[FirstTwoBitWord(j) + i / 4];
        plane = plane | (level & Int(3)) << (i % 4 * 8 + TwoBitShift(j));
        Int& high = high_bits[j % 2 * 4 + i / 4];
        high = high | (level >> 2) << (i % 4 * 8 + j / 2);
      }
    }
    for (int word = 0; word < 8; ++word) words.Set(word, high_bits[word]);
    for (int word = 0; word < kTwoBitWords; ++word) words.Set(8 + word, planes[word]);
  }

 private:
  template <class Weights, class Importance>
  static QUANTD_LANE Float FindSubBlock(const Weights& weights, const Importance& importance, Float variance,
                                        int j, Levels& levels, Float& sum) {
    const auto x = weights.template Slice<kSubBlock>(j * kSubBlock);
    if constexpr (Importance::kPresent) {
      Levels w;
      sum = WeighByImportance<L, kSubBlock>(x, importance.template Slice<kSubBlock>(j * kSubBlock), variance,
                                            w);
      const SymmetricFit<L> fit = FitSymmetric<L, kSubBlock>(x, w, 4);
      QUANTD_UNROLL
      for (int i = 0; i < kSubBlock; ++i) levels.Set(i, fit.LevelOf(x[i], 4));
      return fit.scale;
    } else {
      sum = Float(0.0f);
      return RefineSymmetric<L, kSubBlock>(x, 4, levels);
    }
  }

  // 6-bit levels of the scales; returns the F16 scale of scales.
  template <bool kWithImportance>
  static QUANTD_LANE Int FitScales(const Float* scales, const Float* sums, Int* stored) {
    if constexpr (kWithImportance) {
      const SymmetricFit<L> fit = FitSymmetric<L, kSubBlocks>(scales, sums, 32);
      for (int j = 0; j < kSubBlocks; ++j) stored[j] = L::NearestInt(fit.LevelOf(scales[j], 32));
      return ToHalf<L>(fit.scale);
    } else {
      const Float peak = PeakOf<L, kSubBlocks>(scales);
      const auto none = peak == Float(0.0f);
      const Float inverse = Float(-32.0f) / peak;
      for (int j = 0; j < kSubBlocks; ++j) {
        const Int level = L::NearestInt(L::NearestLevel(inverse * scales[j], -32, 31)) + Int(32);
        stored[j] = L::Select(none, Int(0), level);
      }
      return L::Select(none, Int(0), ToHalf<L>(Float(1.0f) / inverse));
    }
  }

  template <class Words>
  static QUANTD_LANE void PackScales(const Int* stored, Int scale, Words& words) {
    for (int word = 0; word < 2; ++word) {
      Int nibbles = 0;
      for (int byte = 0; byte < 4; ++byte) {
        const int j = word * 4 + byte;
        nibbles = nibbles | ((stored[j] & Int(15)) | (stored[j + 8] & Int(15)) << 4) << (8 * byte);
      }
      words.Set(24 + word, nibbles);
    }
    Int high = 0;
    for (int j = 0; j < kSubBlocks; ++j) high = high | (stored[j] >> 4) << (j % 4 * 8 + j / 4 * 2);
    words.Set(26, high);
    words.Set(27, scale);
  }
};

constexpr void DecodeBlock(const BlockQ3_K& block, float* weights) {
  uint8_t levels[kSuperBlock] = {};
  SplitTwoBitPlanes(block.levels, levels);
  for (int run = 0; run < 8; ++run) {
    for (int i = 0; i < 32; ++i)
      levels[32 * run + i] |= static_cast<uint8_t>((block.high_bits[i] >> run & 1) << 2);
  }
  const float scale = HalfToFloat(block.scale);
  for (int j = 0; j < 16; ++j) {
    const int low = j < 8 ? block.scales[j] & 15 : block.scales[j - 8] >> 4;
    const int high = block.scales[8 + j % 4] >> (2 * (j / 4)) & 3;
    const float step = scale * static_cast<float>((low | high << 4) - 32);
    for (int i = 16 * j; i < 16 * (j + 1); ++i) weights[i] = step * static_cast<float>(levels[i] - 4);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
