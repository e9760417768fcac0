// The search of the K-quants that have a minimum: levels 0 … top, weight ≈ scale * level - minimum. From the
// scale that spans the range, `steps` + 1 other scales are tried; each try's levels give the scale and
// minimum of least weighted squares, and the try with the least error is kept. (ggml's make_qkx2_quants and
// make_qkx3_quants, which differ only in what they are given.)
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_RANGE_FIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_RANGE_FIT_INL_H_
#undef QUANTD_RANGE_FIT_INL_H_
#else
#define QUANTD_RANGE_FIT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class L>
struct RangeFit {
  using Float = typename L::Float;
  Float scale;    // 0 where all weights are the same
  Float minimum;  // never negative
  // The try that was kept: its levels are NearestLevel((x - level_low) * level_inverse, 0, top).
  Float level_inverse;
  Float level_low;

  // Level of weight x in the try that was kept.
  QUANTD_LANE Float LevelOf(Float x, int top) const {
    return L::NearestLevel(level_inverse * (x - level_low), 0, top);
  }
};

struct RangeSearch {
  int top;
  float first;  // the first try's span is top + first levels, each next one's `delta` more
  float delta;
  int steps;
};

// One block's search between its parts.
template <class L>
struct RangeState {
  using Float = typename L::Float;
  Float first_low, high;  // of the weights; the low end is never above zero
  Float sum_w, sum_x;
  Float widest_inverse;  // up to this one no level wraps
  Float low;             // of the next try
  Float best_error, best_inverse, best_low, best_scale;
  Float inverse, determinant, scale, minimum;  // of the last try
};

// How levels are rounded: ggml's wrap beyond ±2^22, which hardly ever occurs; without that rounding is
// cheaper, and where the range spans no more than the levels none is above the top.
enum class LevelRounding { kWraps, kClamps, kClampsBelow };

template <class L>
struct LevelSums {
  typename L::Float l, l2, xl;
};

// Levels of weights x against a scale, and sums over them. (In two loops: in one, so many operations wait for
// the level that a CPU runs out of room for them.)
template <class L, int N, LevelRounding kRounding, class Weights, class Importance>
QUANTD_LANE_LOOP void SumLevels(Weights x, const Importance& w, const typename L::Float& low_end,
                                const typename L::Float& level_inverse, int top,
                                typename L::template FloatArray<N>& levels, LevelSums<L>& sums) {
  using Float = typename L::Float;
  const Float low = low_end, inverse = level_inverse;
  QUANTD_UNROLL_TWICE
  for (int i = 0; i < N; ++i) {
    const Float value = inverse * (x[i] - low);
    if constexpr (kRounding == LevelRounding::kWraps) {
      levels.Set(i, L::NearestLevel(value, 0, top));
    } else if constexpr (kRounding == LevelRounding::kClamps) {
      levels.Set(i, L::NearestLevelInRange(value, 0, top));
    } else {
      levels.Set(i, L::NearestLevelFromZero(value));
    }
  }
  Float l = 0.0f, l2 = 0.0f, xl = 0.0f;
  QUANTD_UNROLL_TWICE
  for (int i = 0; i < N; ++i) {
    const Float level = levels[i];
    const Float wl = w[i] * level;
    l = l + wl;
    l2 = l2 + wl * level;
    xl = xl + wl * x[i];
  }
  sums.l = l;
  sums.l2 = l2;
  sums.xl = xl;
}

// The same with the rounding that a scale whose levels reach from `low` over `span` needs.
template <class L, int N, class Weights, class Importance>
QUANTD_LANE void SumLevels(const Weights& x, const Importance& w, const RangeState<L>& state,
                           const typename L::Float& low, const typename L::Float& inverse, float span,
                           int top, typename L::template FloatArray<N>& levels, LevelSums<L>& sums) {
  using Float = typename L::Float;
  if (L::Any(!((inverse > Float(0.0f)) & (inverse < state.widest_inverse)))) {
    SumLevels<L, N, LevelRounding::kWraps>(x, w, low, inverse, top, levels, sums);
  } else if (L::kCount > 1 && span < static_cast<float>(top) + 0.45f) {  // a GPU has no use for another loop
    SumLevels<L, N, LevelRounding::kClampsBelow>(x, w, low, inverse, top, levels, sums);
  } else {
    SumLevels<L, N, LevelRounding::kClamps>(x, w, low, inverse, top, levels, sums);
  }
}

template <class L, int N, bool kAbsolute, class Weights, class Importance>
QUANTD_LANE_LOOP void SumErrors(Weights x, const Importance& w,
                                const typename L::template FloatArray<N>& levels,
                                const typename L::Float& try_scale, const typename L::Float& try_minimum,
                                typename L::Float& sum) {
  using Float = typename L::Float;
  const Float scale = try_scale, minimum = try_minimum;
  Float error = 0.0f;
  QUANTD_UNROLL_TWICE
  for (int i = 0; i < N; ++i) {
    const Float difference = scale * levels[i] + minimum - x[i];
    error = error + w[i] * (kAbsolute ? L::Abs(difference) : difference * difference);
  }
  sum = error;
}

template <class L>
struct WeightSums {
  typename L::Float low, high, w, x;
};

template <class L, int N, class Weights, class Importance>
QUANTD_LANE_LOOP void SumWeights(Weights x, const Importance& w, WeightSums<L>& sums) {
  using Float = typename L::Float;
  Float low = x[0], high = x[0], sum_w = w[0], sum_x = sum_w * x[0];
  QUANTD_UNROLL
  for (int i = 1; i < N; ++i) {
    low = L::Min(x[i], low);
    high = L::Max(x[i], high);
    sum_w = sum_w + w[i];
    sum_x = sum_x + w[i] * x[i];
  }
  sums.low = low;
  sums.high = high;
  sums.w = sum_w;
  sums.x = sum_x;
}

// A search of N weights x[i] with importance w[i], in parts. kAbsolute: the error is that of absolute
// differences, not squares.
template <class L, int N, bool kAbsolute, class Weights, class Importance>
struct RangeSteps {
  using Float = typename L::Float;
  using Levels = typename L::template FloatArray<N>;

  static QUANTD_LANE void Begin(const Weights& x, const Importance& w, RangeSearch search,
                                RangeState<L>& state, Levels& levels) {
    WeightSums<L> sums;
    SumWeights<L, N>(x, w, sums);
    const Float low = L::Select(sums.low > Float(0.0f), Float(0.0f), sums.low);
    const float top = static_cast<float>(search.top);
    const Float inverse = Float(top) / (sums.high - low);
    const Float scale = Float(1.0f) / inverse;
    // Weights below a try's lower end are so by -first_low at most, because no try's end is above zero.
    state.widest_inverse = Float(1048576.0f) / -low;
    state.high = sums.high;
    state.sum_w = sums.w;
    state.sum_x = sums.x;
    state.low = state.first_low = state.best_low = low;
    state.best_inverse = inverse;
    state.best_scale = scale;
    LevelSums<L> level_sums;
    SumLevels<L, N>(x, w, state, low, inverse, top, search.top, levels, level_sums);
    Float error;
    SumErrors<L, N, kAbsolute>(x, w, levels, scale, low, error);
    state.best_error = error;
  }

  // The levels of a try, and the scale and minimum that suit them best.
  static QUANTD_LANE void Try(const Weights& x, const Importance& w, RangeSearch search, int step,
                              RangeState<L>& state, Levels& levels) {
    const float span =
        search.first + search.delta * static_cast<float>(step) + static_cast<float>(search.top);
    const Float inverse = Float(span) / (state.high - state.low);
    const Float low = state.low;
    LevelSums<L> sums;
    SumLevels<L, N>(x, w, state, low, inverse, span, search.top, levels, sums);
    const Float l = sums.l, l2 = sums.l2, xl = sums.xl;
    const Float determinant = state.sum_w * l2 - l * l;
    Float scale = (state.sum_w * xl - state.sum_x * l) / determinant;
    Float minimum = (l2 * state.sum_x - l * xl) / determinant;
    const auto above = minimum > Float(0.0f);
    if (L::Any(above)) {
      minimum = L::Select(above, Float(0.0f), minimum);
      scale = L::Select(above, xl / l2, scale);
    }
    state.inverse = inverse;
    state.determinant = determinant;
    state.scale = scale;
    state.minimum = minimum;
  }

  // Keeps the try if its error is the least so far. Its minimum is then the next try's lower end: the tries
  // depend on each other.
  static QUANTD_LANE void Judge(const Weights& x, const Importance& w, RangeState<L>& state,
                                const Levels& levels) {
    Float error;
    const Float scale = state.scale, minimum = state.minimum;
    SumErrors<L, N, kAbsolute>(x, w, levels, scale, minimum, error);
    const auto better = (state.determinant > Float(0.0f)) & (error < state.best_error);
    state.best_error = L::Select(better, error, state.best_error);
    state.best_inverse = L::Select(better, state.inverse, state.best_inverse);
    state.best_low = L::Select(better, state.low, state.best_low);
    state.best_scale = L::Select(better, state.scale, state.best_scale);
    state.low = L::Select(better, state.minimum, state.low);
  }

  static QUANTD_LANE RangeFit<L> Best(const RangeState<L>& state) {
    const auto flat = state.high == state.first_low;
    RangeFit<L> best;
    best.scale = L::Select(flat, Float(0.0f), state.best_scale);
    best.minimum = L::Select(flat, -state.first_low, -state.low);
    best.level_inverse = L::Select(flat, Float(0.0f), state.best_inverse);
    best.level_low = L::Select(flat, Float(0.0f), state.best_low);
    return best;
  }
};

template <class L, int N, bool kAbsolute, class Weights, class Importance>
QUANTD_LANE RangeFit<L> FitRange(const Weights& x, const Importance& w, RangeSearch search) {
  using Steps = RangeSteps<L, N, kAbsolute, Weights, Importance>;
  RangeState<L> state;
  typename L::template FloatArray<N> levels;
  Steps::Begin(x, w, search, state, levels);
  for (int step = 0; step <= search.steps; ++step) {
    Steps::Try(x, w, search, step, state, levels);
    Steps::Judge(x, w, state, levels);
  }
  return Steps::Best(state);
}

// Searches for all `kBlocks` blocks of N weights; weigh(x, j, w) sets the importance of block j's weights.
// Each search is a chain of operations: a CPU does two at a time, so that one runs while the other waits.
template <class L, int N, int kBlocks, bool kAbsolute, class Weights, class Weigh>
QUANTD_LANE void FitRanges(const Weights& weights, Weigh weigh, RangeSearch search, RangeFit<L>* found) {
  using Array = typename L::template FloatArray<N>;
  if constexpr (L::kCount == 1) {
    for (int j = 0; j < kBlocks; ++j) {
      const auto x = weights.template Slice<N>(j * N);
      Array w;
      weigh(x, j, w);
      found[j] = FitRange<L, N, kAbsolute>(x, w, search);
    }
  } else {
    using Steps = RangeSteps<L, N, kAbsolute, Weights, Array>;
    for (int j = 0; j < kBlocks; j += 2) {
      const Weights x1 = weights.template Slice<N>(j * N), x2 = weights.template Slice<N>((j + 1) * N);
      RangeState<L> state1, state2;
      Array w1, w2, levels1, levels2;
      weigh(x1, j, w1);
      weigh(x2, j + 1, w2);
      Steps::Begin(x1, w1, search, state1, levels1);
      Steps::Begin(x2, w2, search, state2, levels2);
      for (int step = 0; step <= search.steps; ++step) {
        Steps::Try(x1, w1, search, step, state1, levels1);
        Steps::Try(x2, w2, search, step, state2, levels2);
        Steps::Judge(x1, w1, state1, levels1);
        Steps::Judge(x2, w2, state2, levels2);
      }
      found[j] = Steps::Best(state1);
      found[j + 1] = Steps::Best(state2);
    }
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
