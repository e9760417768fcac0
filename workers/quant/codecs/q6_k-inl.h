// Q6_K: super-blocks of 16 sub-blocks of 16 weights, each with an 8-bit signed scale against the
// super-block's F16 scale. weight = scale * s * (level - 32), level in 0 … 63.
#include <cstdint>

#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/symmetric_fit-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_Q6_K_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_Q6_K_INL_H_
#undef QUANTD_Q6_K_INL_H_
#else
#define QUANTD_Q6_K_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Layout in words: 0…31 the levels' low nibbles, 32…47 their high two bits, 48…51 scales, 52 the F16 scale.
// Each half of 128 weights is four runs of 32: byte i of 64 has the nibble of weight i below that of weight
// 64 + i, and bits 2r, 2r + 1 of byte i of 32 are those of weight 32 * r + i.
template <class L>
struct Q6_K {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockQ6_K);
  static constexpr int kLead = 0;
  static constexpr int kSubBlock = 16;
  static constexpr int kSubBlocks = kSuperBlock / kSubBlock;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    SymmetricFit<L> found[kSubBlocks];
    Float scales[kSubBlocks];
    for (int j = 0; j < kSubBlocks; ++j) {
      const auto x = weights.template Slice<kSubBlock>(j * kSubBlock);
      if constexpr (Importance::kPresent) {
        found[j] = FitSymmetric<L, kSubBlock>(x, importance.template Slice<kSubBlock>(j * kSubBlock), 32);
      } else {
        typename L::template FloatArray<kSubBlock> squares;
        QUANTD_UNROLL
        for (int i = 0; i < kSubBlock; ++i) squares.Set(i, x[i] * x[i]);
        found[j] = FitSymmetric<L, kSubBlock>(x, squares, 32);
      }
      scales[j] = found[j].scale;
    }
    const Float peak = PeakOf<L, kSubBlocks>(scales);
    const auto is_negligible = L::Abs(peak) < Float(kNegligible);
    const auto or_zero = [&](Int word) { return L::Select(is_negligible, Int(0), word); };
    const Float inverse = Float(-128.0f) / peak;
    const Int scale = ToHalf<L>(Float(1.0f) / inverse);
    words.Set(52, or_zero(scale));

    Float steps[kSubBlocks];
    for (int word = 0; word < 4; ++word) {
      Int bytes = 0;
      for (int byte = 0; byte < 4; ++byte) {
        const int j = word * 4 + byte;
        const Int stored = L::Min(L::NearestInt(inverse * scales[j]), Int(127));
        bytes = bytes | (stored & Int(255)) << (8 * byte);
        steps[j] = FromHalf<L>(scale) * L::ToFloat(stored);
      }
      words.Set(48 + word, or_zero(bytes));
    }
    bool some_without_step = false;
    for (int j = 0; j < kSubBlocks; ++j)
      some_without_step = some_without_step || L::Any(steps[j] == Float(0.0f));
    const auto level_of = [&](int i) {
      const int j = i / kSubBlock;
      Int level = L::Min(L::Max(L::NearestInt(weights[i] / steps[j]), Int(-32)), Int(31)) + Int(32);
      // Where the stored scale is zero the search's level stays, as in ggml.
      if (some_without_step) {
        level = L::Select(steps[j] == Float(0.0f), L::NearestInt(found[j].LevelOf(weights[i], 32)), level);
      }
      return level;
    };
    for (int word = 0; word < 16; ++word) {
      const int half = word / 8, within = word % 8 * 4;
      Int low[2] = {Int(0), Int(0)};
      Int high = 0;
      for (int byte = 0; byte < 4; ++byte) {
        for (int run = 0; run < 4; ++run) {
          const Int level = level_of(half * 128 + run * 32 + within + byte);
          low[run % 2] = low[run % 2] | (level & Int(15)) << (8 * byte + run / 2 * 4);
          high = high | (level >> 4) << (8 * byte + run * 2);
        }
      }
      words.Set(half * 16 + word % 8, or_zero(low[0]));
      words.Set(half * 16 + 8 + word % 8, or_zero(low[1]));
      words.Set(32 + word, or_zero(high));
    }
  }
};

constexpr void DecodeBlock(const BlockQ6_K& block, float* weights) {
  uint8_t levels[kSuperBlock] = {};
  for (int half = 0; half < 2; ++half) {
    const uint8_t* low = block.low_levels + half * 64;
    const uint8_t* high = block.high_levels + half * 32;
    uint8_t* to = levels + half * 128;
    for (int i = 0; i < 32; ++i) {
      to[i] = static_cast<uint8_t>((low[i] & 15) | (high[i] & 3) << 4);
      to[32 + i] = static_cast<uint8_t>((low[32 + i] & 15) | (high[i] >> 2 & 3) << 4);
      to[64 + i] = static_cast<uint8_t>(low[i] >> 4 | (high[i] >> 4 & 3) << 4);
      to[96 + i] = static_cast<uint8_t>(low[32 + i] >> 4 | (high[i] >> 6) << 4);
    }
  }
  const float scale = HalfToFloat(block.scale);
  for (int j = 0; j < 16; ++j) {
    const float step = scale * static_cast<float>(block.scales[j]);
    for (int i = 16 * j; i < 16 * (j + 1); ++i) weights[i] = step * static_cast<float>(levels[i] - 32);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
