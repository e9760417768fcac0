// Sorts the N items of every lane: Batcher's odd-even merge sort, whose comparisons do not depend on the
// items (K. E. Batcher, "Sorting networks and their applications", 1968).
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_SORT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_SORT_INL_H_
#undef QUANTD_LANES_SORT_INL_H_
#else
#define QUANTD_LANES_SORT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Items with a key, a weight that goes with it, and the position where the item was before. N is a power of
// two.
template <class L, int N>
class SortedItems {
 public:
  using Float = typename L::Float;
  using Int = typename L::Int;

  // Gives item `position`.
  QUANTD_LANE void Set(int position, Float key, Float weight) {
    keys_.Set(position, key);
    weights_.Set(position, weight);
    positions_.Set(position, L::FromBits(Int(position)));
  }

  // Ascending by key, equal keys (0 and -0 are equal) by position: what a stable sort gives. Items of lanes
  // with keys that are not numbers come in any order.
  QUANTD_LANE void Sort() {
    for (int run = 1; run < N; run *= 2) {
      for (int distance = run; distance >= 1; distance /= 2) {
        for (int begin = distance % run; begin + distance < N; begin += 2 * distance) {
          for (int i = begin; i < begin + distance; ++i) {
            const bool same_runs = i / (2 * run) == (i + distance) / (2 * run);
            if (same_runs && i + distance < N) Order(i, i + distance);
          }
        }
      }
    }
  }

  QUANTD_LANE Float Key(int i) const { return keys_[i]; }
  QUANTD_LANE Float Weight(int i) const { return weights_[i]; }
  QUANTD_LANE Int Position(int i) const { return L::Bits(positions_[i]); }

 private:
  QUANTD_LANE void Order(int first, int second) {
    const Float a = keys_[first], b = keys_[second];
    const Float position_a = positions_[first], position_b = positions_[second];
    const auto swap = (b < a) | ((b == a) & (L::Bits(position_b) < L::Bits(position_a)));
    keys_.Set(first, L::Select(swap, b, a));
    keys_.Set(second, L::Select(swap, a, b));
    positions_.Set(first, L::Select(swap, position_b, position_a));
    positions_.Set(second, L::Select(swap, position_a, position_b));
    const Float weight_a = weights_[first], weight_b = weights_[second];
    weights_.Set(first, L::Select(swap, weight_b, weight_a));
    weights_.Set(second, L::Select(swap, weight_a, weight_b));
  }

  typename L::template FloatArray<N> keys_, weights_, positions_;
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
