// IQ1_S and IQ1_M: which of a sub-block's weights become -1, 0 and 1. Levels are v + shift, v = -1, 0, 1,
// with a shift of 1/8 or -1/8. Where the weights are sorted, two boundaries say all levels; every pair of
// boundaries and every shift is tried, and the one whose best scale leaves the least weighted squares is
// kept, the first of equals.
//
// The method and the order of all operations are ggml's (ggml-quants.c, quantize_row_iq1_s_impl and
// quantize_row_iq1_m_impl). What depends on one boundary alone is computed before the pairs are tried.
#include <cfloat>

#include "workers/quant/lanes/sort-inl.h"

#if defined(QUANTD_TERNARY_SPLIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_TERNARY_SPLIT_INL_H_
#undef QUANTD_TERNARY_SPLIT_INL_H_
#else
#define QUANTD_TERNARY_SPLIT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

inline constexpr float kIq1Shift = 0.125f;

// The best of the splits that were tried. Items of ranks below `first` have v = -1, those of ranks from
// `second` v = 1. `variant` says which shifts. `first` is -1 where no split has a score.
template <class L>
struct TernarySplit {
  typename L::Float score, scale;
  typename L::Int first, second, variant;

  explicit QUANTD_LANE TernarySplit(typename L::Float score_to_beat)
      : score(score_to_beat), scale(0.0f), first(-1), second(-1), variant(0) {}

  QUANTD_LANE void Offer(typename L::Float sum_qx, typename L::Float sum_q2, int i1, int i2, int which) {
    using Int = typename L::Int;
    const auto better = (sum_q2 > typename L::Float(0.0f)) & (sum_qx * sum_qx > score * sum_q2);
    const typename L::Float tried = sum_qx / sum_q2;
    scale = L::Select(better, tried, scale);
    score = L::Select(better, tried * sum_qx, score);
    first = L::Select(better, Int(i1), first);
    second = L::Select(better, Int(i2), second);
    variant = L::Select(better, Int(which), variant);
  }
};

// Of one split, for each variant: the weighted sums of level * weight and of level * level.
template <class L, int kVariants>
struct SplitSums {
  typename L::Float qx[kVariants], q2[kVariants];

  // Where a variant may have a higher score.
  QUANTD_LANE typename L::Mask MayBeat(typename L::Float score) const {
    auto any = qx[0] * qx[0] > score * q2[0];
    QUANTD_UNROLL
    for (int k = 1; k < kVariants; ++k) any = any | (qx[k] * qx[k] > score * q2[k]);
    return any;
  }
};

// IQ1_S: one shift for all N items; variant 0 is the positive shift, 1 the negative.
template <class L, int N>
class OneShiftSums {
 public:
  using Float = typename L::Float;
  static constexpr int kItems = N;
  static constexpr int kVariants = 2;
  static constexpr int VariantBit(int) { return 0; }  // of a group of 8 items

  explicit QUANTD_LANE OneShiftSums(const SortedItems<L, N>& items) {
    Float sum_x = 0.0f, sum_w = 0.0f;
    sum_x_.Set(0, sum_x);
    sum_w_.Set(0, sum_w);
    for (int i = 0; i < N; ++i) {
      sum_x = sum_x + items.Weight(i) * items.Key(i);
      sum_w = sum_w + items.Weight(i);
      sum_x_.Set(i + 1, sum_x);
      sum_w_.Set(i + 1, sum_w);
    }
    for (int i = 0; i <= N; ++i) {
      const Float above_x = sum_x - sum_x_[i], above_w = sum_w - sum_w_[i];
      above_qx_plus_.Set(i, above_x * Float(1.0f + kIq1Shift));
      above_qx_minus_.Set(i, above_x * Float(1.0f - kIq1Shift));
      above_q2_plus_.Set(i, above_w * Float(1.0f + kIq1Shift) * Float(1.0f + kIq1Shift));
      above_q2_minus_.Set(i, above_w * Float(1.0f - kIq1Shift) * Float(1.0f - kIq1Shift));
    }
  }

  // All splits with one first boundary.
  class Row {
   public:
    QUANTD_LANE Row(const OneShiftSums& sums, int i1)
        : sums_(sums),
          x_(sums.sum_x_[i1]),
          w_(sums.sum_w_[i1]),
          below_qx_plus_(x_ * Float(-1.0f + kIq1Shift)),
          below_qx_minus_(x_ * Float(-1.0f - kIq1Shift)),
          below_q2_plus_(w_ * Float(-1.0f + kIq1Shift) * Float(-1.0f + kIq1Shift)),
          below_q2_minus_(w_ * Float(-1.0f - kIq1Shift) * Float(-1.0f - kIq1Shift)) {}

    QUANTD_LANE SplitSums<L, 2> At(int i2) const {
      const Float between_qx = (sums_.sum_x_[i2] - x_) * Float(kIq1Shift);
      const Float between_q2 = (sums_.sum_w_[i2] - w_) * Float(kIq1Shift) * Float(kIq1Shift);
      return {{below_qx_plus_ + between_qx + sums_.above_qx_plus_[i2],
               below_qx_minus_ - between_qx + sums_.above_qx_minus_[i2]},
              {below_q2_plus_ + between_q2 + sums_.above_q2_plus_[i2],
               below_q2_minus_ + between_q2 + sums_.above_q2_minus_[i2]}};
    }

   private:
    const OneShiftSums& sums_;
    Float x_, w_, below_qx_plus_, below_qx_minus_, below_q2_plus_, below_q2_minus_;
  };

 private:
  typename L::template FloatArray<N + 1> sum_x_, sum_w_;  // of the first i items: w * x, and w
  typename L::template FloatArray<N + 1> above_qx_plus_, above_qx_minus_, above_q2_plus_, above_q2_minus_;
};

// IQ1_M: a shift for either half of the N items, as they were before they were sorted. Bit 1 of the variant
// is set where the first half's shift is negative, bit 0 where the second's is.
template <class L, int N>
class TwoShiftSums {
 public:
  using Float = typename L::Float;
  static constexpr int kItems = N;
  static constexpr int kVariants = 4;
  static constexpr int VariantBit(int group) { return 1 - group; }

  explicit QUANTD_LANE TwoShiftSums(const SortedItems<L, N>& items) {
    Float x[2] = {0.0f, 0.0f}, w[2] = {0.0f, 0.0f};
    for (int i = 0; i <= N; ++i) {
      for (int half = 0; half < 2; ++half) {
        sum_x_[half].Set(i, x[half]);
        sum_w_[half].Set(i, w[half]);
        above_q2_plus_[half].Set(i, w[half] * Float(kSquares.zero_plus - kSquares.high_plus));
        above_q2_minus_[half].Set(i, w[half] * Float(kSquares.zero_minus - kSquares.high_minus));
      }
      if (i == N) break;
      const auto in_first = items.Position(i) < typename L::Int(N / 2);
      const Float weight = items.Weight(i), product = weight * items.Key(i);
      x[0] = L::Select(in_first, x[0] + product, x[0]);
      x[1] = L::Select(in_first, x[1], x[1] + product);
      w[0] = L::Select(in_first, w[0] + weight, w[0]);
      w[1] = L::Select(in_first, w[1], w[1] + weight);
    }
  }

  // All splits with one first boundary.
  class Row {
   public:
    QUANTD_LANE Row(const TwoShiftSums& sums, int i1) : first_(sums, 0, i1), second_(sums, 1, i1) {}

    QUANTD_LANE SplitSums<L, 4> At(int i2) const {
      const SplitSums<L, 2> a = first_.At(i2), b = second_.At(i2);
      return {{a.qx[0] + b.qx[0], a.qx[0] + b.qx[1], a.qx[1] + b.qx[0], a.qx[1] + b.qx[1]},
              {a.q2[0] + b.q2[0], a.q2[0] + b.q2[1], a.q2[1] + b.q2[0], a.q2[1] + b.q2[1]}};
    }

   private:
    // One half's sums: all items at v = 1, less one for each boundary that an item is below.
    class Half {
     public:
      QUANTD_LANE Half(const TwoShiftSums& sums, int half, int i1)
          : sum_x_(sums.sum_x_[half]),
            above_q2_plus_(sums.above_q2_plus_[half]),
            above_q2_minus_(sums.above_q2_minus_[half]),
            x_(sum_x_[i1]),
            qx_plus_(sum_x_[N] * Float(1.0f + kIq1Shift)),
            qx_minus_(sum_x_[N] * Float(1.0f - kIq1Shift)) {
        const Float all = sums.sum_w_[half][N], w = sums.sum_w_[half][i1];
        q2_plus_ = all * Float(1.0f + kIq1Shift) * Float(1.0f + kIq1Shift) +
                   w * Float(kSquares.low_plus - kSquares.zero_plus);
        q2_minus_ = all * Float(1.0f - kIq1Shift) * Float(1.0f - kIq1Shift) +
                    w * Float(kSquares.low_minus - kSquares.zero_minus);
      }

      QUANTD_LANE SplitSums<L, 2> At(int i2) const {
        const Float below = x_ + sum_x_[i2];
        return {{qx_plus_ - below, qx_minus_ - below},
                {q2_plus_ + above_q2_plus_[i2], q2_minus_ + above_q2_minus_[i2]}};
      }

     private:
      const typename L::template FloatArray<N + 1>&sum_x_, &above_q2_plus_, &above_q2_minus_;
      Float x_, qx_plus_, qx_minus_, q2_plus_, q2_minus_;
    };

    Half first_, second_;
  };

 private:
  static constexpr float Square(float x) { return x * x; }
  static constexpr struct {
    float low_plus = Square(-1.0f + kIq1Shift), zero_plus = Square(kIq1Shift),
          high_plus = Square(1.0f + kIq1Shift);
    float low_minus = Square(-1.0f - kIq1Shift), zero_minus = Square(-kIq1Shift),
          high_minus = Square(1.0f - kIq1Shift);
  } kSquares{};

  typename L::template FloatArray<N + 1> sum_x_[2], sum_w_[2];  // of the first i items, by half: w * x, and w
  typename L::template FloatArray<N + 1> above_q2_plus_[2], above_q2_minus_[2];
};

// A score from which the search may begin as if a split had reached it: a 512th less than that of the best of
// some splits, which spares most updates. What is found is the same. The search that begins at nothing and
// this one hold different scores until a split beats both, after which they hold the same. A split that beats
// only one of them, by rounding, moves that one past the other by a few units of 2^-24 at most: it would take
// more splits than there are to come from the first score to the best that way.
template <class Sums, class L>
QUANTD_LANE typename L::Float ScoreToBeat(const Sums& sums) {
  using Float = typename L::Float;
  constexpr int kStep = 4;
  Float squared_qx = 0.0f, q2 = 1.0f;
  for (int i1 = kStep / 2; i1 <= Sums::kItems; i1 += kStep) {
    const typename Sums::Row row(sums, i1);
    for (int i2 = i1; i2 <= Sums::kItems; i2 += kStep) {
      const SplitSums<L, Sums::kVariants> tried = row.At(i2);
      for (int k = 0; k < Sums::kVariants; ++k) {
        const Float square = tried.qx[k] * tried.qx[k];
        const auto better = square * q2 > squared_qx * tried.q2[k];
        squared_qx = L::Select(better, square, squared_qx);
        q2 = L::Select(better, tried.q2[k], q2);
      }
    }
  }
  const Float score = squared_qx / q2;
  // Nothing overflows or underflows near it.
  const auto is_ordinary = (score > Float(0x1p-80f)) & (score < Float(0x1p+80f)) & (q2 > Float(0x1p-90f)) &
                           (squared_qx > Float(0x1p-90f)) & (squared_qx < Float(0x1p+90f));
  return L::Select(is_ordinary, score * Float(1.0f - 0x1p-9f), Float(-FLT_MAX));
}

template <class L, class Sums>
QUANTD_LANE TernarySplit<L> BestSplit(const Sums& sums) {
  TernarySplit<L> best(ScoreToBeat<Sums, L>(sums));
  for (int i1 = 0; i1 <= Sums::kItems; ++i1) {
    const typename Sums::Row row(sums, i1);
    for (int i2 = i1; i2 <= Sums::kItems; ++i2) {
      const SplitSums<L, Sums::kVariants> tried = row.At(i2);
      if (L::Any(tried.MayBeat(best.score))) {
        for (int k = 0; k < Sums::kVariants; ++k) best.Offer(tried.qx[k], tried.q2[k], i1, i2, k);
      }
    }
  }
  return best;
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
