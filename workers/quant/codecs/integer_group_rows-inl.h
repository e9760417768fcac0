// Rows of groups of integers along the row, on vector targets: ranges on the bits of the weights as they are
// stored, scales and zero points with a group in each lane, and then the levels of consecutive weights.
#include <algorithm>
#include <cstdint>

#include "workers/quant/codecs/integer_groups-inl.h"
#include "workers/quant/lanes/even_odd-inl.h"
#include "workers/quant/lanes/row_ranges-inl.h"

#if defined(QUANTD_INTEGER_GROUP_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_INTEGER_GROUP_ROWS_INL_H_
#undef QUANTD_INTEGER_GROUP_ROWS_INL_H_
#else
#define QUANTD_INTEGER_GROUP_ROWS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

constexpr bool HasGroupRows(int64_t) { return false; }

#else

constexpr bool HasGroupRows(int64_t group) { return group >= 32; }

struct GroupNumbers {
  BlockFloats divisor, zero_point;
};

// Levels of a chunk are stored at once. `Levels` is a struct with
//   Ordered Of(EvenOdd weights, FloatVector divisor, FloatVector zero_point) const.
inline constexpr int kLevelsOfChunk = 4 * kOrdered;

// Of `count` weights, whole chunks, in groups of 2^group_bits.
template <class Source, int kBits, class Levels>
void WriteLevels(const typename Source::Bits* x, int64_t count, int group_bits, const GroupNumbers& numbers,
                 const Levels of, int64_t prefetch_distance, uint8_t* packed) {
  for (int64_t at = 0; at < count; at += kLevelsOfChunk, packed += kLevelsOfChunk * kBits / 8) {
    PrefetchBehind<kLevelsOfChunk * sizeof(*x)>(x + at, prefetch_distance);
    Ordered levels[4];
    for (int v = 0; v < 4; ++v) {
      const int64_t first = at + v * kOrdered;
      const int group = static_cast<int>(first >> group_bits);
      levels[v] = of.Of(LoadEvenOdd<Source>(x + first), numbers.divisor[group], numbers.zero_point[group]);
    }
    if constexpr (kBits == 4) {
      StoreNibbles(levels, packed);
    } else {
      for (int v = 0; v < 4; ++v) StoreBytes(levels[v], packed + v * kOrdered);
    }
  }
}

// Widens low … high by the range of the first weights of `count`; returns of how many.
template <class Source>
int64_t WidenRange(const typename Source::Bits* x, int64_t count, float& low, float& high) {
  using Bits = typename Source::Bits;
  const hn::Repartition<Bits, FloatTag> tag;
  const hn::RebindToSigned<decltype(tag)> number;
  constexpr int kStep = static_cast<int>(hn::MaxLanes(tag));
  if (count < kStep) return 0;
  auto smallest = hn::LoadU(tag, x);
  auto both = BothOf(smallest, smallest);
  int64_t at = 0;
  for (; at + kStep <= count; at += kStep) {
    PrefetchBehind<kStep * sizeof(*x)>(x + at, kPrefetchBytes);
    const auto weights = hn::LoadU(tag, x + at);
    both = LargerOfBothKinds()(both, weights);
    smallest = hn::Min(smallest, weights);
  }
  // Where all weights have one sign, the smallest bits are the other edge.
  HWY_ALIGN Bits edges[Lanes::kPerVector] = {
      hn::GetLane(hn::MaxOfLanes(tag, both.negative)), hn::GetLane(hn::MinOfLanes(tag, smallest)),
      static_cast<Bits>(hn::GetLane(hn::MaxOfLanes(number, hn::BitCast(number, both.positive))))};
  HWY_ALIGN float range[Lanes::kPerVector];
  hn::Store(Source::Load(edges), FloatTag(), range);
  low = std::min({low, range[0], range[1]});
  high = std::max({high, range[1], range[2]});
  return at;
}

// All groups of rows whose groups are whole. fit(low, high, firsts) finds a GroupFit<Lanes>, firsts() being
// the first weights; store(first, count, fit) stores what belongs to groups first … first + count.
template <class Source, int kBits, class Levels, class Fit, class Store>
void EncodeGroupRows(const typename Source::Bits* x, int64_t groups, int group, const Levels levels, Fit fit,
                     Store store, std::byte* plane) {
  using Bits = typename Source::Bits;
  constexpr int kBatch = Lanes::kCount, kSmallest = 32, kLargest = 256;
  const int group_bits = std::countr_zero(static_cast<unsigned>(group));
  const int batch_weights = kBatch * group;
  const auto fit_batch = [&](const Bits* from, int64_t first, int count) {
    const auto firsts = [&] {
      HWY_ALIGN Bits bits[kBatch];
      for (int g = 0; g < kBatch; ++g) bits[g] = from[g * group];
      return BlockValues<Source>(bits);
    };
    LaneFloat low, high;
    FindRanges<Source>(from, group, low, high);
    const GroupFit<Lanes> found = fit(low, high, firsts);
    store(first, count, found);
    GroupNumbers numbers;
    numbers.divisor.Set(found.divisor);
    numbers.zero_point.Set(found.zero_point);
    return numbers;
  };

  // Batches come in runs, as those of blocks do.
  constexpr int kMostBatches = BatchesOfRun(kBatch * kSmallest * sizeof(Bits));
  const int batches = BatchesOfRun(batch_weights * sizeof(Bits));
  const int run = batches * kBatch, run_weights = batches * batch_weights;
  const int64_t ahead = PrefetchDistance(run_weights * sizeof(Bits));
  const auto encode = [&](const Bits* from, int64_t first, int count, uint8_t* packed) {
    GroupNumbers numbers[kMostBatches];
    for (int i = 0; i * kBatch < count; ++i)
      numbers[i] =
          fit_batch(from + i * batch_weights, first + i * kBatch, std::min(kBatch, count - i * kBatch));
    for (int i = 0; i * kBatch < count; ++i) {
      WriteLevels<Source, kBits>(from + i * batch_weights, batch_weights, group_bits, numbers[i], levels,
                                 ahead, packed + i * batch_weights * kBits / 8);
    }
  };
  uint8_t* packed = reinterpret_cast<uint8_t*>(plane);
  int64_t first = 0;
  for (; first + run <= groups; first += run, x += run_weights, packed += run_weights * kBits / 8)
    encode(x, first, run, packed);
  if (first == groups) return;
  constexpr int kMostWeights = std::max(kBatch * kLargest, kMostBatches * kBatch * kSmallest);
  Bits rest[kMostWeights] = {};
  uint8_t rest_packed[kMostWeights * kBits / 8];
  std::copy_n(x, (groups - first) * group, rest);
  encode(rest, first, static_cast<int>(groups - first), rest_packed);
  std::copy_n(rest_packed, (groups - first) * group * kBits / 8, packed);
}

#endif

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
