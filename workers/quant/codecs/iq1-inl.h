// IQ1_S and IQ1_M: three levels a weight, of which each group of 8 weights takes the nearest of 2048 points
// of a grid. weight = scale * (2 * s + 1) * (v + shift), v = -1, 0 or 1, s the 3-bit scale of a sub-block,
// shift 1/8 or -1/8. IQ1_S: sub-blocks of 32 with one shift. IQ1_M: sub-blocks of 16 with a shift for each
// group. Layouts follow ggml (src/ggml-common.h), the search its quantizer.
#include <cstdint>

#include "workers/quant/codecs/iq1_grid-inl.h"
#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/k_quant_importance-inl.h"
#include "workers/quant/codecs/ternary_split-inl.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_IQ1_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_IQ1_INL_H_
#undef QUANTD_IQ1_INL_H_
#else
#define QUANTD_IQ1_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// How a sub-block of kGroups groups is stored. Bit kGroups - 1 - g of `negative` (IQ1_M), or bit 0 (IQ1_S),
// is set where group g has the negative shift.
template <class L, int kGroups>
struct Iq1SubBlock {
  typename L::Float scale;
  typename L::Int negative;
  typename L::Int points[kGroups], indices[kGroups];
};

// Every weight is weighed by its column's importance and its magnitude beside `variance`, or by its square.
template <class L, int N, class Weights, class Importance>
QUANTD_LANE void WeighIq1SubBlock(const Weights& x, const Importance& importance, typename L::Float variance,
                                  typename L::template FloatArray<N>& w) {
  if constexpr (Importance::kPresent) {
    WeighByImportance<L, N>(x, importance, variance, w);
  } else {
    QUANTD_UNROLL
    for (int i = 0; i < N; ++i) w.Set(i, x[i] * x[i]);
  }
}

template <class L, class Weights>
QUANTD_LANE typename L::Float Iq1Variance(const Weights& weights) {
  using Float = typename L::Float;
  return Float(2.0f) * SumOfSquares<L>(weights) * Float(1.0f / kSuperBlock);
}

// The levels of N weights as masks of N bits: which are above the first boundary of a split, and which above
// the second.
template <class L>
struct TernaryLevels {
  using Int = typename L::Int;
  Int above_first, above_second;

  template <int N>
  QUANTD_LANE TernaryLevels(const SortedItems<L, N>& items, const TernarySplit<L>& split)
      : above_first(0), above_second(0) {
    for (int i = 0; i < N; ++i) {
      const Int bit = L::ShiftUpBy(Int(1), items.Position(i));
      above_first = above_first | L::Select(split.first <= Int(i), bit, Int(0));
      above_second = above_second | L::Select(split.second <= Int(i), bit, Int(0));
    }
  }

  // Where the mask is set, -1 and 1 change places.
  QUANTD_LANE void Negate(typename L::Mask mask) {
    const Int was_above_first = above_first;
    above_first = L::Select(mask, above_second ^ Int(-1), above_first);
    above_second = L::Select(mask, was_above_first ^ Int(-1), above_second);
  }

  // The packed code of a group's levels.
  QUANTD_LANE Int Packed(int group) const {
    return Spread(L::ShiftDown(above_first, 8 * group)) + Spread(L::ShiftDown(above_second, 8 * group));
  }

 private:
  // The low 8 bits, a zero between each two.
  static QUANTD_LANE Int Spread(Int bits) {
    bits = bits & Int(0xff);
    bits = (bits | bits << 4) & Int(0x0f0f);
    bits = (bits | bits << 2) & Int(0x3333);
    return (bits | bits << 1) & Int(0x5555);
  }
};

// Sums is OneShiftSums or TwoShiftSums. Weights below `negligible` count as zero if all are.
template <class L, template <class, int> class Sums, int N>
QUANTD_LANE Iq1SubBlock<L, N / 8> FitIq1SubBlock(const typename L::template FloatArray<N>& x,
                                                 const typename L::template FloatArray<N>& w,
                                                 float negligible, const IqGrid& grid) {
  using Float = typename L::Float;
  using Int = typename L::Int;
  SortedItems<L, N> items;
  Float largest = 0.0f;
  for (int i = 0; i < N; ++i) {
    items.Set(i, x[i], w[i]);
    largest = L::Max(largest, L::Abs(x[i]));
  }
  items.Sort();
  const TernarySplit<L> split = BestSplit<L>(Sums<L, N>(items));
  const typename L::Mask some = (split.first >= Int(0)) & !(largest < Float(negligible));
  TernaryLevels<L> levels(items, split);
  const auto is_negative = split.scale < Float(0.0f);
  levels.Negate(is_negative);

  Iq1SubBlock<L, N / 8> made;
  Float scale = L::Select(is_negative, -split.scale, split.scale);
  made.negative = L::Select(is_negative, split.variant ^ Int(Sums<L, N>::kVariants - 1), split.variant);
  typename L::Mask moved = Float(0.0f) > Float(0.0f);
  Float sum_qx = 0.0f, sum_q2 = 0.0f;
  for (int group = 0; group < N / 8; ++group) {
    const Iq1Values<L> values(made.negative, Sums<L, N>::VariantBit(group));
    Int point = L::Select(some, levels.Packed(group), Int(0));
    moved = moved | TakeNearestIq1Point<L>(grid, values, scale, x, w, 8 * group, point);
    made.points[group] = point;
    made.indices[group] = L::Gather(grid.cells, point);
    for (int i = 0; i < 8; ++i) {
      const Float q = values.Of(point, i), wq = w[8 * group + i] * q;
      sum_qx = sum_qx + wq * x[8 * group + i];
      sum_q2 = sum_q2 + wq * q;
    }
  }
  const auto refit = moved & (sum_qx > Float(0.0f)) & (sum_q2 > Float(0.0f));
  made.scale = L::Select(some, L::Select(refit, sum_qx / sum_q2, scale), Float(0.0f));
  made.negative = L::Select(some, made.negative, Int(0));
  return made;
}

// The 3-bit scale of a sub-block.
template <class L>
QUANTD_LANE typename L::Int Iq1ScaleLevel(typename L::Float scale, typename L::Float inverse) {
  using Float = typename L::Float;
  using Int = typename L::Int;
  const Int level = L::NearestInt(Float(0.5f) * (inverse * scale - Float(1.0f)));
  return L::Max(L::Min(level, Int(7)), Int(0));
}

// qh: of sub-block b, 3 high bits of each of its 4 indices, 3 bits of scale, the sign of the shift.
struct BlockIq1S {
  uint16_t scale;
  uint8_t indices_low[kSuperBlock / 8];
  uint16_t high[kSuperBlock / 32];
};
static_assert(sizeof(BlockIq1S) == 50);

// With two bytes of lead: word 0 has the scale above, words 1…8 the low bytes of indices, 9…12 the rest.
template <class L>
struct Iq1S {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockIq1S);
  static constexpr int kLead = 2;
  static constexpr int kSubBlocks = 8;
  static constexpr float kNegligible = 1e-12f;
  static constexpr IqGridName kGrid = IqGridName::kIq1;
  static constexpr bool kRequiresImportance = true;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const IqGrid& grid, const Weights& weights, const Importance& importance,
                                 Words& words) {
    const Float variance = Iq1Variance<L>(weights);
    Float scales[kSubBlocks], largest = 0.0f;
    Int high[kSubBlocks];
    for (int b = 0; b < kSubBlocks; ++b) {
      typename L::template FloatArray<32> x, w;
      for (int i = 0; i < 32; ++i) x.Set(i, weights[32 * b + i]);
      WeighIq1SubBlock<L, 32>(x, importance.template Slice<32>(32 * b), variance, w);
      const auto made = FitIq1SubBlock<L, OneShiftSums, 32>(x, w, kNegligible, grid);
      scales[b] = made.scale;
      largest = L::Max(largest, made.scale);
      Int low = 0;
      high[b] = made.negative << 15;
      for (int group = 0; group < 4; ++group) {
        low = low | (made.indices[group] & Int(255)) << (8 * group);
        high[b] = high[b] | (made.indices[group] >> 8) << (3 * group);
      }
      words.Set(1 + b, low);
    }
    const auto is_zero = largest == Float(0.0f);
    const Float scale = largest / Float(15.0f), inverse = Float(1.0f) / scale;
    words.Set(0, L::Select(is_zero, Int(0), ToHalf<L>(scale * Float(1.125f)) << 16));
    for (int b = 0; b < kSubBlocks; ++b) {
      const Int stored = high[b] | Iq1ScaleLevel<L>(scales[b], inverse) << 12;
      high[b] = L::Select(is_zero, high[b] & Int(0xfff), stored);
    }
    for (int b = 0; b < kSubBlocks; b += 2) words.Set(9 + b / 2, high[b] | high[b + 1] << 16);
  }
};

// high: of each group, 3 high bits of its index and the sign of its shift. scales: of each sub-block 3 bits,
// 4 sub-blocks a 16-bit word, above which there are 4 bits of the F16 scale.
struct BlockIq1M {
  uint8_t indices_low[kSuperBlock / 8];
  uint8_t high[kSuperBlock / 16];
  uint16_t scales[kSuperBlock / 64];
};
static_assert(sizeof(BlockIq1M) == 56);

// Words: 0…7 the low bytes of indices, 8…11 their high bits, 12 and 13 the scales.
template <class L>
struct Iq1M {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = kSuperBlock;
  static constexpr int kBytes = sizeof(BlockIq1M);
  static constexpr int kLead = 0;
  static constexpr int kSubBlocks = 16;
  static constexpr float kNegligible = 1e-7f;
  static constexpr IqGridName kGrid = IqGridName::kIq1;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const IqGrid& grid, const Weights& weights, const Importance& importance,
                                 Words& words) {
    Float variance = 0.0f;
    if constexpr (Importance::kPresent) variance = Iq1Variance<L>(weights);
    Float largest = 0.0f;
    Iq1SubBlock<L, 2> made[kSubBlocks];
    for (int b = 0; b < kSubBlocks; ++b) {
      typename L::template FloatArray<16> x, w;
      for (int i = 0; i < 16; ++i) x.Set(i, weights[16 * b + i]);
      WeighIq1SubBlock<L, 16>(x, importance.template Slice<16>(16 * b), variance, w);
      made[b] = FitIq1SubBlock<L, TwoShiftSums, 16>(x, w, kNegligible, grid);
      largest = L::Max(largest, made[b].scale);
    }
    const auto is_zero = largest == Float(0.0f);
    Int levels[kSubBlocks];
    const Float scale = FitScale(weights, importance, variance, made, largest, levels);
    const Int half = ToHalf<L>(scale * Float(1.1125f));
    StoreIndices(made, is_zero, words);
    for (int word = 0; word < 2; ++word) {
      Int bits = 0;
      for (int i = 0; i < 8; ++i) bits = bits | levels[8 * word + i] << (16 * (i / 4) + 3 * (i % 4));
      bits = bits | (L::ShiftDown(half, 8 * word) & Int(15)) << 12;
      bits = bits | (L::ShiftDown(half, 8 * word + 4) & Int(15)) << 28;
      words.Set(12 + word, L::Select(is_zero, Int(0), bits));
    }
  }

 private:
  // The scales' levels, and the scale of the super-block that is best for them.
  template <class Weights, class Importance>
  static QUANTD_LANE Float FitScale(const Weights& weights, const Importance& importance, Float variance,
                                    const Iq1SubBlock<L, 2>* made, Float largest, Int* levels) {
    const Float scale = largest / Float(15.0f), inverse = Float(1.0f) / scale;
    Float sum_qx = 0.0f, sum_q2 = 0.0f;
    for (int b = 0; b < kSubBlocks; ++b) {
      levels[b] = Iq1ScaleLevel<L>(made[b].scale, inverse);
      const Float factor = L::ToFloat(levels[b] + levels[b] + Int(1));
      const auto x = weights.template Slice<16>(16 * b);
      typename L::template FloatArray<16> w;
      WeighIq1SubBlock<L, 16>(x, importance.template Slice<16>(16 * b), variance, w);
      for (int group = 0; group < 2; ++group) {
        const Iq1Values<L> values(made[b].negative, TwoShiftSums<L, 16>::VariantBit(group));
        for (int i = 0; i < 8; ++i) {
          const Float q = values.Of(made[b].points[group], i) * factor, wq = w[8 * group + i] * q;
          sum_qx = sum_qx + wq * x[8 * group + i];
          sum_q2 = sum_q2 + wq * q;
        }
      }
    }
    return L::Select(sum_q2 > Float(0.0f), sum_qx / sum_q2, scale);
  }

  template <class Words>
  static QUANTD_LANE void StoreIndices(const Iq1SubBlock<L, 2>* made, typename L::Mask is_zero,
                                       Words& words) {
    for (int word = 0; word < 4; ++word) {
      Int low[2] = {0, 0}, high = 0;
      for (int i = 0; i < 4; ++i) {
        const Iq1SubBlock<L, 2>& sub = made[4 * word + i];
        const Int a = sub.indices[0], b = sub.indices[1];
        low[i / 2] = low[i / 2] | ((a & Int(255)) | (b & Int(255)) << 8) << (16 * (i % 2));
        const Int signs = (sub.negative & Int(2)) << 2 | (sub.negative & Int(1)) << 7;
        high = high | (a >> 8 | (b >> 8) << 4 | L::Select(is_zero, Int(0), signs)) << (8 * i);
      }
      words.Set(2 * word, low[0]);
      words.Set(2 * word + 1, low[1]);
      words.Set(8 + word, high);
    }
  }
};

// A point and the shift as weights.
QUANTD_TABLE void DecodeIq1Group(int32_t point, bool negative, float scale, float* weights) {
  const float shift = negative ? -kIq1Shift : kIq1Shift;
  for (int i = 0; i < 8; ++i) {
    weights[i] = scale * (static_cast<float>((point >> (2 * i) & 3) - 1) + shift);
  }
}

QUANTD_TABLE void DecodeBlock(const IqGrid& grid, const BlockIq1S& block, float* weights) {
  for (int b = 0; b < 8; ++b) {
    const int high = block.high[b];
    const float scale = HalfToFloat(block.scale) * static_cast<float>(2 * (high >> 12 & 7) + 1);
    for (int group = 0; group < 4; ++group) {
      const int index = block.indices_low[4 * b + group] | (high >> (3 * group) & 7) << 8;
      DecodeIq1Group(grid.points[index], (high & 0x8000) != 0, scale, weights + 32 * b + 8 * group);
    }
  }
}

QUANTD_TABLE void DecodeBlock(const IqGrid& grid, const BlockIq1M& block, float* weights) {
  int half = 0;
  for (int i = 0; i < 4; ++i) half |= block.scales[i] >> 12 << (4 * i);
  const float scale = HalfToFloat(static_cast<uint16_t>(half));
  for (int b = 0; b < 16; ++b) {
    const float sub_scale = scale * static_cast<float>(2 * (block.scales[b / 4] >> (3 * (b % 4)) & 7) + 1);
    for (int group = 0; group < 2; ++group) {
      const int high = block.high[b] >> (4 * group);
      const int index = block.indices_low[2 * b + group] | (high & 7) << 8;
      DecodeIq1Group(grid.points[index], (high & 8) != 0, sub_scale, weights + 16 * b + 8 * group);
    }
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
