// IQ1's search of the grid: the point that is nearest to a group of 8 weights.
#include <algorithm>
#include <cfloat>

#include "workers/quant/codecs/iq_nearest-inl.h"
#include "workers/quant/codecs/ternary_split-inl.h"
#if !defined(__CUDACC__) && HWY_TARGET != HWY_SCALAR
#include <hwy/cache_control.h>

#include "workers/quant/lanes/repeated_table-inl.h"
#endif

#if defined(QUANTD_IQ1_GRID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_IQ1_GRID_INL_H_
#undef QUANTD_IQ1_GRID_INL_H_
#else
#define QUANTD_IQ1_GRID_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// What the three levels stand for, before the scale.
template <class L>
class Iq1Values {
 public:
  using Float = typename L::Float;
  using Int = typename L::Int;

  // The shift is negative where that bit is set.
  QUANTD_LANE Iq1Values(Int negative, int bit)
      : lowest_(L::Select((negative & Int(1 << bit)) == Int(0), Float(-1.0f + kIq1Shift),
                          Float(-1.0f - kIq1Shift))) {}

  QUANTD_LANE Float Lowest() const { return lowest_; }
  // Of packed levels' level i.
  QUANTD_LANE Float Of(Int packed, int i) const {
    return L::ToFloat(L::ShiftDown(packed, 2 * i) & Int(3)) + lowest_;
  }

 private:
  Float lowest_;
};

// Whether every weight of a group is nearer to the level that it has, at a positive scale, than to another,
// by more than any rounding.
template <class L, class Weights>
QUANTD_LANE typename L::Mask AreNearest(const Iq1Values<L>& values, typename L::Float scale, const Weights& x,
                                        int first, typename L::Int packed) {
  using Float = typename L::Float;
  using Int = typename L::Int;
  const Float reach = scale * Float(0.5f - 0x1p-16f);
  auto nearest = scale == scale;
  for (int i = 0; i < 8; ++i) {
    const Int level = L::ShiftDown(packed, 2 * i) & Int(3);
    const Float above = x[first + i] - scale * values.Of(packed, i);
    nearest = nearest & ((above <= reach) | (level == Int(2))) & ((-above <= reach) | (level == Int(0)));
  }
  return nearest;
}

// Of each lane: the point of the cell's list that leaves the least weighted squares of the 8 weights that
// begin at `first`, the first of equals. `packed` has the levels (with kIqFlag); they are replaced by the
// point's. `lowest` is the value of level 0.
template <class L, class Weights>
requires(L::kCount == 1) QUANTD_LANE
    void FindNearestIq1Points(const IqGrid& grid, float lowest, float scale, const Weights& x,
                              const Weights& w, int first, uint32_t* packed) {
  const int32_t cell = IqCellOf(grid, static_cast<int32_t>(*packed));
  if (cell >= 0) return;
  const int32_t* list = grid.lists + IqList::First(cell);
  int32_t nearest = list[0];
  float least = FLT_MAX;
  for (int at = 0; at < IqList::Count(cell); ++at) {
    float sum = 0.0f;
    QUANTD_UNROLL
    for (int i = 0; i < 8; ++i) {
      const float value = lowest + static_cast<float>(list[at] >> (2 * i) & 3);
      const float difference = scale * value - x[first + i];
      sum = sum + w[first + i] * difference * difference;
    }
    if (sum < least) {
      least = sum;
      nearest = list[at];
    }
  }
  *packed = static_cast<uint32_t>(nearest);
}

#if !defined(__CUDACC__) && HWY_TARGET != HWY_SCALAR

// The same for vectors, whose elements are here not lanes but the points of one lane's list. The terms of
// each weight's levels are looked up; every point's sum keeps its order.
class Iq1Terms {
 public:
  // x[i * stride] and w[i * stride] are weight i's.
  QUANTD_LANE Iq1Terms(float lowest, float scale, const float* x, const float* w, int stride) {
    const FloatTag tag;
    const auto values = hn::Add(hn::LoadDup128(tag, kLevels), hn::Set(tag, lowest));
    const auto scaled = hn::Mul(hn::Set(tag, scale), values);
    QUANTD_UNROLL
    for (int i = 0; i < 8; ++i) {
      const auto difference = hn::Sub(scaled, hn::Set(tag, x[i * stride]));
      const auto term = hn::Mul(hn::Mul(hn::Set(tag, w[i * stride]), difference), difference);
      terms_[i] = RepeatedTable<4>([&](int /*level*/) { return term; });
    }
  }

  QUANTD_LANE int32_t Nearest(const int32_t* list, int count) const {
    const FloatTag tag;
    const IntTag int_tag;
    auto least = hn::Set(tag, FLT_MAX);
    auto position = hn::Zero(int_tag);
    for (int at = 0; at < count; at += VectorLanes::kPerVector) {
      const auto here = hn::Iota(int_tag, at);
      const auto in_list = hn::RebindMask(tag, hn::Lt(here, hn::Set(int_tag, count)));
      const auto sums = Sums(hn::LoadU(int_tag, list + at));
      const auto is_less = hn::And(in_list, hn::Lt(sums, least));
      least = hn::IfThenElse(is_less, sums, least);
      position = hn::IfThenElse(hn::RebindMask(int_tag, is_less), here, position);
    }
    const auto is_least = hn::RebindMask(int_tag, hn::Eq(least, hn::MinOfLanes(tag, least)));
    const auto first = hn::IfThenElse(is_least, position, hn::Set(int_tag, INT32_MAX));
    return list[hn::GetLane(hn::MinOfLanes(int_tag, first))];
  }

 private:
  QUANTD_LANE hn::Vec<FloatTag> Sums(hn::Vec<IntTag> points) const {
    auto sum = terms_[0][points];
    QUANTD_UNROLL
    for (int i = 1; i < 8; ++i) sum = hn::Add(sum, terms_[i][hn::ShiftRightSame(points, 2 * i)]);
    return sum;
  }

  HWY_ALIGN static constexpr float kLevels[4] = {0.0f, 1.0f, 2.0f, 3.0f};
  RepeatedTable<4> terms_[8];
};

template <class L, class Weights>
requires(L::kCount > 1) void FindNearestIq1Points(const IqGrid& grid, LaneFloat lowest, LaneFloat scale,
                                                  const Weights& x, const Weights& w, int first,
                                                  uint32_t* packed) {
  VectorLanes::FloatArray<2> numbers;
  numbers.Set(0, lowest);
  numbers.Set(1, scale);
  int32_t cells[L::kCount];
  for (int lane = 0; lane < L::kCount; ++lane) {
    cells[lane] = IqCellOf(grid, static_cast<int32_t>(packed[lane]));
    hwy::Prefetch(grid.lists + IqList::First(std::min(cells[lane], 0)));
  }
  for (int lane = 0; lane < L::kCount; ++lane) {
    if (cells[lane] >= 0) continue;
    const Iq1Terms terms(numbers.data()[lane], numbers.data()[L::kCount + lane],
                         x.data() + first * L::kCount + lane, w.data() + first * L::kCount + lane, L::kCount);
    packed[lane] = static_cast<uint32_t>(
        terms.Nearest(grid.lists + IqList::First(cells[lane]), IqList::Count(cells[lane])));
  }
}

#endif

// Replaces the packed levels of the group that begins at weight `first` by those of the grid's nearest point,
// if they are none. Returns where they were none.
template <class L, class Weights>
QUANTD_LANE typename L::Mask TakeNearestIq1Point(const IqGrid& grid, const Iq1Values<L>& values,
                                                 typename L::Float scale, const Weights& x, const Weights& w,
                                                 int first, typename L::Int& packed) {
  using Int = typename L::Int;
  const Int flag = L::Select(AreNearest<L>(values, scale, x, first, packed), Int(0), Int(kIqFlag));
  IntArray<L, 1> levels;
  levels.Set(0, packed | flag);
  FindNearestIq1Points<L>(grid, values.Lowest(), scale, x, w, first, levels.data());
  const Int found = levels[0] & Int(kIqFlag - 1);
  const auto moved = !(found == packed);
  packed = found;
  return moved;
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
