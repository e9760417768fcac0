// The nearest point of a grid to a group of weights, by weighted squares, at several scales.
//
// A point's distance is the sum, one coordinate after the other, of weight * (scale * (2 * level + 1) -
// magnitude)^2; of equals the first in the cell's list wins. One lane goes through the list. Vectors do what
// the other lane code never does: they take the lanes one by one, and put the points of a lane's list side by
// side. A term has as few values as there are levels, so that each is computed once and then looked up; every
// point's sum keeps its order.
#include <algorithm>
#include <cfloat>

#include "workers/quant/codecs/iq_grid.h"
#include "workers/quant/lanes/lanes-inl.h"
#if !defined(__CUDACC__) && HWY_TARGET != HWY_SCALAR
#include <hwy/cache_control.h>

#include "workers/quant/lanes/repeated_table-inl.h"
#endif

#if defined(QUANTD_IQ_NEAREST_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_IQ_NEAREST_INL_H_
#undef QUANTD_IQ_NEAREST_INL_H_
#else
#define QUANTD_IQ_NEAREST_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Groups of 8 weights at 3 levels, and of 4 weights at 8 levels.
struct IqGroupOf8 {
  static constexpr int kCoordinates = 8;
  static constexpr int kLevelBits = 2;
  static constexpr int kTopLevel = 2;
};
struct IqGroupOf4 {
  static constexpr int kCoordinates = 4;
  static constexpr int kLevelBits = 3;
  static constexpr int kTopLevel = 7;
};

// Above packed levels. Going in: the levels may not be the nearest ones, so that only the long list of the
// cell is right. Coming out: the levels were none of the grid's.
inline constexpr int32_t kIqFlag = 1 << 16;

// N integers of each lane that stay in memory.
template <class L, int N>
class IntArray {
 public:
  QUANTD_LANE typename L::Int operator[](int i) const { return L::LoadInt(values_ + i * L::kCount); }
  QUANTD_LANE void Set(int i, typename L::Int value) { L::Store(value, values_ + i * L::kCount); }
  QUANTD_LANE uint32_t* data() { return values_; }

 private:
  alignas(64) uint32_t values_[N * L::kCount];
};

// The cell of packed levels (with kIqFlag).
QUANTD_LANE int32_t IqCellOf(const IqGrid& grid, int32_t packed) {
  const int32_t* cells = (packed & kIqFlag) != 0 ? grid.cells : grid.near_cells;
  return cells[packed & (kIqFlag - 1)];
}

// Replaces the packed levels of each of N scales by those of the nearest point, where they are not a point.
// The group's coordinates are x[first + i], with weights w[first + i].
template <class L, class Group, int N, class Values>
requires(L::kCount == 1) QUANTD_LANE
    void FindNearest(const IqGrid& grid, const Values& x, const Values& w, int first,
                     const typename L::template FloatArray<N>& scales, uint32_t* packed) {
  for (int step = 0; step < N; ++step) {
    const int32_t cell = IqCellOf(grid, static_cast<int32_t>(packed[step]));
    packed[step] &= kIqFlag - 1;
    if (cell >= 0) continue;
    const int32_t* list = grid.lists + IqList::First(cell);
    const int count = IqList::Count(cell);
    int32_t nearest = list[0];
    float best = FLT_MAX;
    for (int at = 0; at < count; ++at) {
      const int32_t point = list[at];
      float distance = 0.0f;
      QUANTD_UNROLL
      for (int i = 0; i < Group::kCoordinates; ++i) {
        const int level = point >> (Group::kLevelBits * i) & ((1 << Group::kLevelBits) - 1);
        const float difference = scales[step] * static_cast<float>(2 * level + 1) - x[first + i];
        distance = distance + w[first + i] * difference * difference;
      }
      if (distance < best) {
        best = distance;
        nearest = point;
      }
    }
    packed[step] = static_cast<uint32_t>(nearest | kIqFlag);
  }
}

#if !defined(__CUDACC__) && HWY_TARGET != HWY_SCALAR

// The terms of one lane's group at one scale, and the search in a list.
template <class Group>
class TermTables {
 public:
  // x[i * stride] and w[i * stride] are coordinate i and its weight.
  QUANTD_LANE TermTables(float scale, const float* x, const float* w, int stride) {
    const Tag tag;
    const auto term = [&](int i, int level) {
      const auto steps = hn::Mul(hn::Set(tag, scale), hn::Load(tag, kSteps.values + level));
      const auto difference = hn::Sub(steps, hn::Set(tag, x[i * stride]));
      return hn::Mul(hn::Mul(hn::Set(tag, w[i * stride]), difference), difference);
    };
    QUANTD_UNROLL
    for (int i = 0; i < Group::kCoordinates; ++i)
      terms_[i] = Table([&](int level) { return term(i, level); });
  }

  // The first of the nearest points; the first of all where no distance is a number below FLT_MAX.
  QUANTD_LANE int32_t Nearest(const int32_t* list, int count) const {
    const Tag tag;
    // What is no number counts as FLT_MAX.
    const auto distances = hn::Min(DistancesOfFirst(list, count), hn::Set(tag, FLT_MAX));
    if (count > kAtOnce) return NearestOfMany(list, count, distances);
    const auto is_least = hn::Eq(distances, hn::MinOfLanes(tag, distances));
    return list[hn::FindKnownFirstTrue(tag, is_least)];
  }

 private:
  static constexpr int kLevels = 1 << Group::kLevelBits;
  using Table = RepeatedTable<kLevels>;
  using Tag = typename Table::Tag;
  using PointTag = hn::RebindToSigned<Tag>;
  static constexpr int kAtOnce = static_cast<int>(hn::MaxLanes(Tag()));

  // 2 * level + 1 of the levels, again and again.
  struct Steps {
    HWY_ALIGN float values[16];
  };
  static constexpr Steps MakeSteps() {
    Steps steps = {};
    for (int i = 0; i < 16; ++i) steps.values[i] = static_cast<float>(2 * (i % kLevels) + 1);
    return steps;
  }
  static constexpr Steps kSteps = MakeSteps();

  // Of the points from `list` on, one for each element of the vector; FLT_MAX for those after the first
  // `count`.
  QUANTD_LANE hn::Vec<Tag> DistancesOfFirst(const int32_t* list, int count) const {
    const Tag tag;
    const auto points = hn::LoadU(PointTag(), list);
    auto sum = terms_[0][points];
    QUANTD_UNROLL
    for (int i = 1; i < Group::kCoordinates; ++i)
      sum = hn::Add(sum, terms_[i][hn::ShiftRightSame(points, Group::kLevelBits * i)]);
    return hn::IfThenElse(hn::FirstN(tag, static_cast<size_t>(count)), sum, hn::Set(tag, FLT_MAX));
  }

  QUANTD_LANE int32_t NearestOfMany(const int32_t* list, int count, hn::Vec<Tag> best) const {
    const Tag tag;
    const PointTag point_tag;
    auto position = hn::Iota(point_tag, 0), here = position;
    for (int at = kAtOnce; at < count; at += kAtOnce) {
      const auto distances = DistancesOfFirst(list + at, count - at);
      here = hn::Add(here, hn::Set(point_tag, kAtOnce));
      const auto is_less = hn::Lt(distances, best);
      best = hn::IfThenElse(is_less, distances, best);
      position = hn::IfThenElse(hn::RebindMask(point_tag, is_less), here, position);
    }
    const auto is_least = hn::RebindMask(point_tag, hn::Eq(best, hn::MinOfLanes(tag, best)));
    const auto first =
        hn::MinOfLanes(point_tag, hn::IfThenElse(is_least, position, hn::Set(point_tag, INT32_MAX)));
    return list[hn::GetLane(first)];
  }

  Table terms_[Group::kCoordinates];
};

// Lists are too many for the first-level cache: those of some tries are asked for before the first search.
template <int N>
QUANTD_LANE void PrefetchLists(const IqGrid& grid, const uint32_t* packed) {
  for (int lane = 0; lane < VectorLanes::kCount; ++lane) {
    for (int step = 0; step < N; step += std::max(N / 4, 1)) {
      const auto levels = static_cast<int32_t>(packed[step * VectorLanes::kCount + lane]);
      hwy::Prefetch(grid.lists + IqList::First(IqCellOf(grid, levels)));
    }
  }
}

// Whether levels are a point is a toss of a coin, which a branch would lose: the searches are listed first.
template <class L, class Group, int N, class Values>
requires(L::kCount > 1) void FindNearest(const IqGrid& grid, const Values& x, const Values& w, int first,
                                         const typename L::template FloatArray<N>& scales, uint32_t* packed) {
  PrefetchLists<N>(grid, packed);
  for (int lane = 0; lane < L::kCount; ++lane) {
    int32_t cells[N];
    int steps[N];
    int searches = 0;
    for (int step = 0; step < N; ++step) {
      uint32_t& levels = packed[step * L::kCount + lane];
      const int32_t cell = IqCellOf(grid, static_cast<int32_t>(levels));
      levels &= kIqFlag - 1;
      cells[searches] = cell;
      steps[searches] = step;
      searches += cell < 0 ? 1 : 0;
    }
    const int at = first * L::kCount + lane;
    for (int i = 0; i < searches; ++i) {
      const int to = steps[i] * L::kCount + lane;
      const TermTables<Group> tables(scales.data()[to], x.data() + at, w.data() + at, L::kCount);
      const int32_t point = tables.Nearest(grid.lists + IqList::First(cells[i]), IqList::Count(cells[i]));
      packed[to] = static_cast<uint32_t>(point | kIqFlag);
    }
  }
}

#endif

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
