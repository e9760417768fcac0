// The search of onnxruntime.quantization's `k_quant` (quant_tensor_k_quant_cpu): ggml's search for a scale
// and a minimum, with differences that change bytes. Sums are numpy's pairwise ones, levels are clamped
// before they are multiplied, and the minimum that a step found moves where the next step begins. Lane code:
// a lane is a group.
#include "workers/quant/lanes/lanes-inl.h"
#include "workers/quant/lanes/transpose-inl.h"
#include "workers/quant/lanes/views-inl.h"

#if defined(QUANTD_ONNX_K_QUANT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_ONNX_K_QUANT_INL_H_
#undef QUANTD_ONNX_K_QUANT_INL_H_
#else
#define QUANTD_ONNX_K_QUANT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

inline constexpr int kLargestKQuantGroup = 256;

template <class L, int kSums>
struct LaneSums {
  typename L::Float of[kSums];
};

template <class L, int kSums>
QUANTD_LANE LaneSums<L, kSums> operator+(const LaneSums<L, kSums>& a, const LaneSums<L, kSums>& b) {
  LaneSums<L, kSums> sum;
  for (int s = 0; s < kSums; ++s) sum.of[s] = a.of[s] + b.of[s];
  return sum;
}

// Sums of terms(0) … terms(count - 1) in numpy's order: of up to 128 terms, eight partial sums (of every
// eighth term) that are added in pairs; of 256, those of the halves.
template <class L, int kSums, class Terms>
QUANTD_LANE LaneSums<L, kSums> PairwiseSums(int count, const Terms& terms) {
  using Sums = LaneSums<L, kSums>;
  const auto partial = [&](int first, int end) {
    Sums sum = terms(first);
    for (int i = first + 8; i < end; i += 8) sum = sum + terms(i);
    return sum;
  };
  const auto of_part = [&](int begin, int end) {
    const auto of_four = [&](int first) {
      const Sums low = partial(first, end) + partial(first + 1, end);
      return low + (partial(first + 2, end) + partial(first + 3, end));
    };
    const Sums low = of_four(begin);
    return low + of_four(begin + 4);
  };
  if (count <= 128) return of_part(0, count);
  const Sums low = of_part(0, 128);
  return low + of_part(128, 256);
}

template <class L>
class KQuantSearch {
 public:
  using Float = typename L::Float;

  struct Fit {
    Float scale, zero_point;
  };

  // Levels 0 … top of `count` weights: 16, 32, 64, 128 or 256.
  QUANTD_LANE KQuantSearch(const TileView<L>& weights, int count, float top)
      : x_(weights), count_(count), top_(top) {}

  QUANTD_LANE Fit Run() {
    Prepare();
    Float minimum = low_;
    const auto first_is_flat = minimum == high_;
    const Float first_inverse = L::Select(first_is_flat, Float(1.0f), Float(top_) / (high_ - minimum));
    SetLevels(first_inverse, minimum);
    Float scale = Float(1.0f) / first_inverse;
    Float best = ErrorOf(scale, minimum);
    for (int step = 0; step < 20; ++step) {
      const auto is_flat = minimum == high_;
      const Float inverse = L::Select(is_flat, Float(1.0f), Float(FactorOf(step)) / (high_ - minimum));
      SetLevels(inverse, minimum);
      const LaneSums<L, 3> sums = PairwiseSums<L, 3>(count_, [&](int i) {
        const Float weighted = importance_[i] * levels_[i];
        return LaneSums<L, 3>{{weighted, weighted * levels_[i], weighted * x_[i]}};
      });
      const Float l = sums.of[0], l2 = sums.of[1], xl = sums.of[2];
      const Float determinant = sum_importance_ * l2 - l * l;
      const Float tried_scale = (sum_importance_ * xl - sum_x_ * l) / determinant;
      const Float tried_minimum = (l2 * sum_x_ - l * xl) / determinant;
      const Float error = ErrorOf(tried_scale, tried_minimum);
      const auto is_better = error < best;
      best = L::Select(is_better, error, best);
      scale = L::Select(is_better, tried_scale, scale);
      minimum = L::Select(is_better, tried_minimum, minimum);
    }
    // Where nothing divides (a range too small for its inverse), the zero point is 0, as x86 converts NaN.
    return {scale, L::NearestLevelInRange(Clamped(-minimum / scale), 0, static_cast<int>(top_))};
  }

 private:
  // Range, importance of the weights, and the sums that no step changes.
  QUANTD_LANE void Prepare() {
    low_ = high_ = x_[0];
    for (int i = 1; i < count_; ++i) {
      low_ = L::Min(x_[i], low_);
      high_ = L::Max(x_[i], high_);
    }
    const LaneSums<L, 1> squares =
        PairwiseSums<L, 1>(count_, [&](int i) { return LaneSums<L, 1>{{x_[i] * x_[i]}}; });
    const Float mean = L::Sqrt(squares.of[0] / Float(static_cast<float>(count_)));
    for (int i = 0; i < count_; ++i) importance_.Set(i, mean + L::Abs(x_[i]));
    const LaneSums<L, 2> sums = PairwiseSums<L, 2>(count_, [&](int i) {
      const Float importance = importance_[i];
      return LaneSums<L, 2>{{importance, importance * x_[i]}};
    });
    sum_importance_ = sums.of[0];
    sum_x_ = sums.of[1];
  }

  // Added up in double, in this order, and then rounded.
  QUANTD_LANE float FactorOf(int step) const {
    return static_cast<float>(-1.0 + 0.1 * step + static_cast<double>(top_));
  }

  QUANTD_LANE Float Clamped(Float level) const { return L::Min(L::Max(level, Float(0.0f)), Float(top_)); }

  QUANTD_LANE void SetLevels(Float inverse, Float minimum) {
    for (int i = 0; i < count_; ++i) {
      levels_.Set(i, L::NearestLevelInRange(Clamped(inverse * (x_[i] - minimum)), 0, static_cast<int>(top_)));
    }
  }

  QUANTD_LANE Float ErrorOf(Float scale, Float minimum) const {
    const LaneSums<L, 1> sum = PairwiseSums<L, 1>(count_, [&](int i) {
      const Float difference = scale * levels_[i] + minimum - x_[i];
      return LaneSums<L, 1>{{importance_[i] * (difference * difference)}};
    });
    return sum.of[0];
  }

  TileView<L> x_;
  int count_;
  float top_;
  Float low_, high_, sum_importance_, sum_x_;
  typename L::template FloatArray<kLargestKQuantGroup> importance_, levels_;
};

// Scale and zero point of each group; weights of `count` groups, one after the other.
inline void FitKQuantGroups(const float* weights, int group, int count, float top, float* scale,
                            float* zero_point) {
  constexpr int kLanes = Lanes::kCount;
  static constexpr float kZeros[kLargestKQuantGroup] = {};
  alignas(64) float tile[kLanes * kLargestKQuantGroup];
  alignas(64) uint32_t found[2 * kLanes];
  for (int first = 0; first < count; first += kLanes) {
    const int some = std::min(kLanes, count - first);
    const float* pointers[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      pointers[lane] = lane < some ? weights + (first + lane) * group : kZeros;
    }
    BlocksToTile(pointers, group, tile);
    KQuantSearch<Lanes> search(TileView<Lanes>(tile), group, top);
    const auto fit = search.Run();
    Lanes::Store(Lanes::Bits(fit.scale), found);
    Lanes::Store(Lanes::Bits(fit.zero_point), found + kLanes);
    std::memcpy(scale + first, found, static_cast<size_t>(some) * sizeof(float));
    std::memcpy(zero_point + first, found + kLanes, static_cast<size_t>(some) * sizeof(float));
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
