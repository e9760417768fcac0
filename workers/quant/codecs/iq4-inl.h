// IQ4_NL and IQ4_XS: 4-bit levels that stand for sixteen values, denser around zero. weight = scale *
// value[level]. IQ4_NL: blocks of 32 with an F16 scale. IQ4_XS: super-blocks of 8 such blocks, whose scales
// have 6 bits.
#include <cstdint>

#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/k_quant_importance-inl.h"
#include "workers/quant/codecs/symmetric_fit-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"
#include "workers/quant/lanes/inverse-inl.h"
#include "workers/quant/lanes/sixteen_levels-inl.h"

#if defined(QUANTD_IQ4_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_IQ4_INL_H_
#undef QUANTD_IQ4_INL_H_
#else
#define QUANTD_IQ4_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// The values of the sixteen levels (ggml's choice; a cubic is close to them, but not equal), parted half-way
// between neighbours.
constexpr SixteenLevels Iq4Levels() {
  return {{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113},
          {-115.5f, -93.5f, -74.0f, -57.0f, -42.0f, -28.5f, -16.0f, -4.5f, 7.0f, 19.0f, 31.5f, 45.5f, 61.0f,
           79.0f, 101.0f}};
}
template <class L>
using Iq4Search = LevelSearch<L, Iq4Levels>;

// The scale of one block: fifteen around the one that puts the largest weight on the lowest value are tried,
// and the one of least weighted squares is kept.
template <class L, class Weights, class Importance>
QUANTD_LANE typename L::Float FitIq4Scale(const Weights& x, const Importance& w) {
  using Float = typename L::Float;
  constexpr int kTries = 7;  // to either side
  const Float peak = PeakOf<L, 32>(x);
  Float scale = 0.0f, best = 0.0f;
  for (int step = 0; step <= 2 * kTries + 1; ++step) {
    // The first try is the middle one, but its inverse is rounded twice.
    const Float inverse = step == 0 ? Float(1.0f) / (-peak / Float(-127.0f))
                                    : Float(static_cast<float>(step - 1 - kTries) - 127.0f) / peak;
    Float sum_qx = 0.0f, sum_q2 = 0.0f;
    QUANTD_UNROLL
    for (int i = 0; i < 32; ++i) {
      const Float value = Iq4Search<L>::Value(inverse * x[i]);  // of 127 + kTries at most, but for rounding
      const Float wq = w[i] * value;
      sum_qx = sum_qx + wq * x[i];
      sum_q2 = sum_q2 + wq * value;
    }
    const Float tried = sum_qx / sum_q2;
    const auto some = sum_q2 > Float(0.0f);
    if (step == 0) {
      scale = L::Select(some, tried, Float(0.0f));
      best = scale * sum_qx;
      continue;
    }
    const auto better = some & (sum_qx * sum_qx > best * sum_q2);
    scale = L::Select(better, tried, scale);
    best = L::Select(better, tried * sum_qx, best);
  }
  return L::Select(L::Abs(peak) < Float(kNegligible), Float(0.0f), scale);
}

// As above, with the weights' own importance: that of their columns and their magnitude beside `variance`, or
// the square of the weight.
template <class L, class Weights, class Importance>
QUANTD_LANE typename L::Float FitIq4Block(const Weights& x, const Importance& importance,
                                          typename L::Float variance) {
  typename L::template FloatArray<32> w;
  if constexpr (Importance::kPresent) {
    WeighByImportance<L, 32>(x, importance, variance, w);
  } else {
    QUANTD_UNROLL
    for (int i = 0; i < 32; ++i) w.Set(i, x[i] * x[i]);
  }
  return FitIq4Scale<L>(x, w);
}

// Levels of the block that begins at weight `first`: byte i has level i below and level 16 + i above.
template <class L, class Weights, class Words>
QUANTD_LANE void StoreIq4Levels(const Weights& weights, int first, typename L::Float inverse, int first_word,
                                Words& words) {
  using Int = typename L::Int;
  for (int word = 0; word < 4; ++word) {
    Int bits = 0;
    for (int byte = 0; byte < 4; ++byte) {
      const int i = first + 4 * word + byte;
      const Int low = Iq4Search<L>::Level(inverse * weights[i]);
      const Int high = Iq4Search<L>::Level(inverse * weights[i + 16]);
      bits = bits | (low | high << 4) << (8 * byte);
    }
    words.Set(first_word + word, bits);
  }
}

struct BlockIq4Nl {
  uint16_t scale;
  uint8_t levels[16];
};
static_assert(sizeof(BlockIq4Nl) == 18);

// With two bytes of lead: word 0 has the scale above, words 1…4 the levels.
template <class L>
struct Iq4Nl {
  using Float = typename L::Float;
  static constexpr int kWeights = 32;
  static constexpr int kBytes = sizeof(BlockIq4Nl);
  static constexpr int kLead = 2;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    const auto x = weights.template Slice<32>(0);
    Float variance = 0.0f;
    if constexpr (Importance::kPresent) {
      QUANTD_UNROLL
      for (int i = 0; i < 32; ++i) variance = variance + x[i] * x[i];
      variance = variance * Float(2.0f / 32);
    }
    const Float scale = FitIq4Block<L>(x, importance.template Slice<32>(0), variance);
    words.Set(0, ToHalf<L>(scale) << 16);
    StoreIq4Levels<L>(x, 0, InverseOrZero<L>(scale), 1, words);
  }
};

struct BlockIq4Xs {
  uint16_t scale;
  uint16_t scales_high;
  uint8_t scales_low[4];
  uint8_t levels[kSuperBlock / 2];
};
static_assert(sizeof(BlockIq4Xs) == 136);

// Words: 0 the F16 scale | the scales' high two bits << 16, 1 their low nibbles, 2…33 the levels.
template <class L>
struct Iq4Xs {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockIq4Xs);
  static constexpr int kLead = 0;
  static constexpr int kBlocks = 8;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance& importance, Words& words) {
    Float variance = 0.0f;
    if constexpr (Importance::kPresent) variance = SumOfSquares<L>(weights) * Float(2.0f / kSuperBlock);
    Float scales[kBlocks];
    for (int b = 0; b < kBlocks; ++b) {
      scales[b] =
          FitIq4Block<L>(weights.template Slice<32>(32 * b), importance.template Slice<32>(32 * b), variance);
    }
    const Float scale = -PeakOf<L, kBlocks>(scales) / Float(32.0f);
    const Float inverse = InverseOrZero<L>(scale);
    Int low = 0, high = 0;
    for (int b = 0; b < kBlocks; ++b) {
      const Float level = L::NearestLevel(inverse * scales[b], -32, 31);
      const Int stored = L::NearestInt(level) + Int(32);
      low = low | (stored & Int(15)) << (4 * b);
      high = high | (stored >> 4) << (2 * b);
      StoreIq4Levels<L>(weights, 32 * b, InverseOrZero<L>(scale * level), 2 + 4 * b, words);
    }
    words.Set(0, ToHalf<L>(scale) | high << 16);
    words.Set(1, low);
  }
};

QUANTD_TABLE void DecodeIq4Levels(const uint8_t* levels, float scale, float* weights) {
  for (int i = 0; i < 16; ++i) {
    weights[i] = scale * Iq4Search<OneLane>::Table().values[levels[i] & 15];
    weights[i + 16] = scale * Iq4Search<OneLane>::Table().values[levels[i] >> 4];
  }
}

QUANTD_TABLE void DecodeBlock(const BlockIq4Nl& block, float* weights) {
  DecodeIq4Levels(block.levels, HalfToFloat(block.scale), weights);
}

QUANTD_TABLE void DecodeBlock(const BlockIq4Xs& block, float* weights) {
  for (int b = 0; b < 8; ++b) {
    const int low = block.scales_low[b / 2] >> (b % 2 * 4) & 15, high = block.scales_high >> (2 * b) & 3;
    const float scale = HalfToFloat(block.scale) * static_cast<float>((low | high << 4) - 32);
    DecodeIq4Levels(block.levels + 16 * b, scale, weights + 32 * b);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
