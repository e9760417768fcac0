// The search that the IQ2 and IQ3 types share: the scale of a sub-block and the points of its groups.
//
// Every scale of a range around the one that puts the largest magnitude on the top level is tried: magnitudes
// are rounded to levels, groups of levels that the grid does not have are replaced by the nearest point, and
// the scale that is best for those points (weighted least squares) is kept where it leaves the smallest
// error. At the end points are searched once more at the scale that was found.
#include "workers/quant/codecs/iq_nearest-inl.h"

#if defined(QUANTD_IQ_FIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_IQ_FIT_INL_H_
#undef QUANTD_IQ_FIT_INL_H_
#else
#define QUANTD_IQ_FIT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class L, class Group, int kWeights>
class IqFit {
 public:
  using Float = typename L::Float;
  using Int = typename L::Int;
  using Mask = typename L::Mask;
  static constexpr int kGroups = kWeights / Group::kCoordinates;

  explicit QUANTD_LANE IqFit(const IqGrid& grid) : grid_(grid) {}

  // Weight i's magnitude (negative where a sign was flipped) and how much its error counts.
  QUANTD_LANE void Set(int i, Float magnitude, Float weight) {
    x_.Set(i, magnitude);
    w_.Set(i, weight);
    root_w_.Set(i, L::Sqrt(weight));
  }
  QUANTD_LANE Float magnitude(int i) const { return x_[i]; }
  QUANTD_LANE Float weight(int i) const { return w_[i]; }

  QUANTD_LANE Float LargestMagnitude() const {
    Float largest = x_[0];
    QUANTD_UNROLL
    for (int i = 1; i < kWeights; ++i) largest = L::Max(largest, x_[i]);
    return largest;
  }

  // Tries scales that put `largest` on the top level, give or take kReach steps of `step`. Where none of them
  // is better than nothing, the result is `scale` and the grid's first point, which counts as on the grid or
  // not.
  template <int kReach>
  QUANTD_LANE void TryScales(Float largest, float step, Float scale, bool first_is_on_grid) {
    constexpr int kTries = 2 * kReach + 1;
    constexpr int kAtOnce = L::kCount == 1 ? 1 : kTries;  // a thread of a GPU keeps one try's points
    scale_ = scale;
    for (int group = 0; group < kGroups; ++group) points_[group] = Int(first_is_on_grid ? 0 : kIqFlag);
    Float best = 0.0f;
    for (int first = -kReach; first <= kReach; first += kAtOnce) {
      typename L::template FloatArray<kAtOnce> inverses, scales;
      for (int i = 0; i < kAtOnce; ++i) {
        const Float inverse = Float(kTop + static_cast<float>(first + i) * step) / largest;
        inverses.Set(i, inverse);
        scales.Set(i, Float(1.0f) / inverse);
      }
      IntArray<L, kAtOnce * kGroups> points;  // [group][try]
      FindPoints(inverses, scales, points);
      for (int i = 0; i < kAtOnce; ++i) KeepIfBetter(points, i, kAtOnce, best);
    }
  }

  // Searches the points again at the scale that was found, where it is positive, and the scale for those
  // points: of the groups that were not on the grid, or of all groups in lanes where `all` is set.
  QUANTD_LANE void Refine(Mask all) {
    const Mask is_positive = scale_ > Float(0.0f);
    Mask any = is_positive & all;
    for (int group = 0; group < kGroups; ++group) any = any | (is_positive & IsOffGrid(points_[group]));
    if (!L::Any(any)) return;
    typename L::template FloatArray<1> inverse, scale;
    inverse.Set(0, Float(1.0f) / scale_);
    scale.Set(0, scale_);
    IntArray<L, kGroups> found;
    FindPoints(inverse, scale, found);
    for (int group = 0; group < kGroups; ++group) {
      points_[group] =
          L::Select(is_positive & (all | IsOffGrid(points_[group])), found[group], points_[group]);
    }
    const Sums sums = SumsOf([&](int group) { return points_[group]; });
    scale_ = L::Select(any & (sums.q2 > Float(0.0f)), sums.qx / sums.q2, scale_);
  }

  // Lanes in which any of the kept points was not where the magnitudes were rounded to.
  QUANTD_LANE Mask AnyOffGrid() const {
    Mask any = IsOffGrid(points_[0]);
    for (int group = 1; group < kGroups; ++group) any = any | IsOffGrid(points_[group]);
    return any;
  }

  QUANTD_LANE Float scale() const { return scale_; }
  // The index in the grid of a group's point.
  QUANTD_LANE Int PointIndex(int group) const {
    return L::Gather(grid_.cells, points_[group] & Int(kIqFlag - 1));
  }

 private:
  static constexpr float kTop = 2 * Group::kTopLevel + 1;

  struct Sums {
    Float qx, q2;
  };

  static QUANTD_LANE Mask IsOffGrid(Int point) { return point >= Int(kIqFlag); }

  // Levels of a group, packed; with kIqFlag where a rounding was so close that the arithmetic's error counts,
  // or where the level is not the nearest one.
  QUANTD_LANE Int RoundGroup(int group, Float inverse) const {
    const Float half = Float(0.5f) * inverse;
    Int packed = 0;
    Mask is_clear = Float(0.0f) == Float(0.0f);
    QUANTD_UNROLL
    for (int i = 0; i < Group::kCoordinates; ++i) {
      const Float level = half * x_[group * Group::kCoordinates + i] - Float(0.5f);
      const Int nearest = L::NearestInt(level);
      is_clear = is_clear & (L::Abs(level - L::ToFloat(nearest)) < Float(0.4999f));
      packed = packed | L::Min(L::Max(nearest, Int(0)), Int(Group::kTopLevel)) << (Group::kLevelBits * i);
    }
    return L::Select(is_clear, packed, packed | Int(kIqFlag));
  }

  template <int N>
  QUANTD_LANE void FindPoints(const typename L::template FloatArray<N>& inverses,
                              const typename L::template FloatArray<N>& scales,
                              IntArray<L, N * kGroups>& points) const {
    for (int group = 0; group < kGroups; ++group) {
      for (int i = 0; i < N; ++i) points.Set(group * N + i, RoundGroup(group, inverses[i]));
      FindNearest<L, Group, N>(grid_, x_, root_w_, group * Group::kCoordinates, scales,
                               points.data() + group * N * L::kCount);
    }
  }

  template <class PointOf>
  QUANTD_LANE Sums SumsOf(const PointOf& point_of) const {
    Sums sums = {0.0f, 0.0f};
    for (int group = 0; group < kGroups; ++group) {
      const Int twice = point_of(group) << 1;
      QUANTD_UNROLL
      for (int i = 0; i < Group::kCoordinates; ++i) {
        const Int twice_level = (twice >> (Group::kLevelBits * i)) & Int(2 * ((1 << Group::kLevelBits) - 1));
        const Float q = L::ToFloat(twice_level | Int(1));
        const int at = group * Group::kCoordinates + i;
        sums.qx = sums.qx + w_[at] * x_[at] * q;
        sums.q2 = sums.q2 + w_[at] * q * q;
      }
    }
    return sums;
  }

  template <class Points>
  QUANTD_LANE void KeepIfBetter(const Points& points, int tried, int tries, Float& best) {
    const Sums sums = SumsOf([&](int group) { return points[group * tries + tried]; });
    const Mask better = (sums.q2 > Float(0.0f)) & (sums.qx * sums.qx > best * sums.q2);
    scale_ = L::Select(better, sums.qx / sums.q2, scale_);
    best = L::Select(better, scale_ * sums.qx, best);
    for (int group = 0; group < kGroups; ++group)
      points_[group] = L::Select(better, points[group * tries + tried], points_[group]);
  }

  const IqGrid& grid_;
  typename L::template FloatArray<kWeights> x_, w_, root_w_;
  Int points_[kGroups];
  Float scale_ = 0.0f;
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
