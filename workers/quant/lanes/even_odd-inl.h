// Kernels along the row: lanes hold consecutive weights of one row, not one block each. The weights with even
// indices lie in the vectors' `low`, the odd ones in `high`: BF16 weights widen in that order without a
// shuffle, and two levels that are stored together are a shift apart.
#include <cstdint>
#include <cstring>

#include "workers/quant/codec.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_EVEN_ODD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_EVEN_ODD_INL_H_
#undef QUANTD_LANES_EVEN_ODD_INL_H_
#else
#define QUANTD_LANES_EVEN_ODD_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

// The weights first … first + kCount.
template <WeightType kType>
QUANTD_LANE LaneFloat LoadRow(const void* weights, int64_t first) {
  const FloatTag tag;
  constexpr int kHalf = VectorLanes::kPerVector;
  if constexpr (kType == WeightType::kBf16) {
    const hn::RebindToUnsigned<FloatTag> pair_tag;
    const auto* from = static_cast<const uint16_t*>(weights) + first;
    const auto pairs =
        hn::BitCast(pair_tag, hn::LoadU(hn::Repartition<uint16_t, decltype(pair_tag)>(), from));
    return {hn::BitCast(tag, hn::ShiftLeft<16>(pairs)),
            hn::BitCast(tag, hn::And(pairs, hn::Set(pair_tag, 0xffff0000u)))};
  } else if constexpr (kType == WeightType::kF16) {
    const hn::Rebind<hwy::float16_t, FloatTag> half_tag;
    const auto* from = static_cast<const hwy::float16_t*>(weights) + first;
    const auto a = hn::PromoteTo(tag, hn::LoadU(half_tag, from));
    const auto b = hn::PromoteTo(tag, hn::LoadU(half_tag, from + kHalf));
    return {hn::ConcatEven(tag, b, a), hn::ConcatOdd(tag, b, a)};
  } else {
    const auto* from = static_cast<const float*>(weights) + first;
    const auto a = hn::LoadU(tag, from), b = hn::LoadU(tag, from + kHalf);
    return {hn::ConcatEven(tag, b, a), hn::ConcatOdd(tag, b, a)};
  }
}

// One number for all weights, or, where they belong to two groups, one for each half of them.
template <int kGroups>
QUANTD_LANE LaneFloat SpreadOverRow(const float* of_group) {
  const FloatTag tag;
  if constexpr (kGroups == 1) {
    return LaneFloat(*of_group);
  } else {
    static_assert(kGroups == 2);
    const hn::Half<FloatTag> half;
    const auto both = hn::Combine(tag, hn::Set(half, of_group[1]), hn::Set(half, of_group[0]));
    return {both, both};
  }
}

// The smaller and the larger of two numbers; of two zeros, either. One instruction, where L::Min, which tells
// zeros apart, is two.
QUANTD_LANE LaneFloat Smaller(LaneFloat a, LaneFloat b) {
  return {hn::Min(a.low, b.low), hn::Min(a.high, b.high)};
}
QUANTD_LANE LaneFloat Larger(LaneFloat a, LaneFloat b) {
  return {hn::Max(a.low, b.low), hn::Max(a.high, b.high)};
}

// The inverse for what lanes know of their groups: the largest lane of each group.
template <int kGroups>
QUANTD_LANE void StoreLargest(LaneFloat lanes, float* of_group) {
  const FloatTag tag;
  const auto largest = hn::Max(lanes.low, lanes.high);
  if constexpr (kGroups == 1) {
    *of_group = hn::GetLane(hn::MaxOfLanes(tag, largest));
  } else {
    static_assert(kGroups == 2);
    const hn::Half<FloatTag> half;
    of_group[0] = hn::GetLane(hn::MaxOfLanes(half, hn::LowerHalf(half, largest)));
    of_group[1] = hn::GetLane(hn::MaxOfLanes(half, hn::UpperHalf(half, largest)));
  }
}

// The largest lane of `a` and that of `b`, for fewer instructions than twice the largest of one.
template <class D>
QUANTD_LANE void StoreLargestOfBoth(D tag, hn::Vec<D> a, hn::Vec<D> b, float* of_a, float* of_b) {
  if constexpr (hn::MaxLanes(D()) > 4) {
    const hn::Half<D> half;
    StoreLargestOfBoth(half, hn::Max(hn::LowerHalf(half, a), hn::UpperHalf(half, a)),
                       hn::Max(hn::LowerHalf(half, b), hn::UpperHalf(half, b)), of_a, of_b);
  } else {
    const auto both = hn::Max(hn::InterleaveLower(tag, a, b), hn::InterleaveUpper(tag, a, b));
    const auto largest = hn::Max(both, hn::Shuffle1032(both));
    *of_a = hn::GetLane(largest);
    *of_b = hn::GetLane(hn::Shuffle2301(largest));
  }
}
QUANTD_LANE void StoreLargestOfBoth(LaneFloat a, LaneFloat b, float* of_a, float* of_b) {
  StoreLargestOfBoth(FloatTag(), hn::Max(a.low, a.high), hn::Max(b.low, b.high), of_a, of_b);
}

// Writes each lane's byte, in the weights' order. Values are below 256.
QUANTD_LANE void StoreBytes(LaneInt bytes, uint8_t* to) {
  const IntTag tag;
  const hn::Rebind<uint16_t, IntTag> pair_tag;
  const auto pairs = hn::Or(bytes.low, hn::ShiftLeft<8>(bytes.high));
  hn::StoreU(hn::DemoteTo(pair_tag, pairs), pair_tag, reinterpret_cast<uint16_t*>(to));
}

// Two lanes a byte, the first in the low half. Values are below 16.
QUANTD_LANE void StoreNibbles(LaneInt nibbles, uint8_t* to) {
  const hn::Rebind<uint8_t, IntTag> byte_tag;
  const auto pairs = hn::Or(nibbles.low, hn::ShiftLeft<4>(nibbles.high));
  hn::StoreU(hn::DemoteTo(byte_tag, pairs), byte_tag, to);
}

// Lanes of 16 bits, in the weights' order.
using OrderedTag = hn::Repartition<uint16_t, FloatTag>;
using Ordered = hn::Vec<OrderedTag>;

// Of each lane the 16 bits from `kShift` on.
template <int kShift>
QUANTD_LANE Ordered OrderedBits(LaneInt lanes) {
  const hn::RebindToUnsigned<IntTag> tag;
  const auto low = hn::ShiftRight<kShift>(hn::BitCast(tag, lanes.low));
  const auto high = hn::ShiftLeft<16 - kShift>(hn::BitCast(tag, lanes.high));
  return hn::OddEven(hn::BitCast(OrderedTag(), high), hn::BitCast(OrderedTag(), low));
}

QUANTD_LANE void StoreBytes(Ordered bytes, uint8_t* to) {
  const hn::RebindToSigned<OrderedTag> signed_tag;
  const hn::Rebind<uint8_t, OrderedTag> byte_tag;
  hn::StoreU(hn::DemoteTo(byte_tag, hn::BitCast(signed_tag, bytes)), byte_tag, to);
}

QUANTD_LANE void StoreNibbles(Ordered nibbles, uint8_t* to) {
  const hn::RebindToSigned<OrderedTag> signed_tag;
  const hn::Rebind<uint8_t, OrderedTag> byte_tag;
  const hn::Repartition<uint16_t, decltype(byte_tag)> pair_tag;
  const hn::RebindToSigned<decltype(pair_tag)> signed_pair_tag;
  const hn::Rebind<uint8_t, decltype(pair_tag)> half_tag;
  const auto pairs = hn::BitCast(pair_tag, hn::DemoteTo(byte_tag, hn::BitCast(signed_tag, nibbles)));
  const auto joined = hn::And(hn::Or(pairs, hn::ShiftRight<4>(pairs)), hn::Set(pair_tag, 0xff));
  hn::StoreU(hn::DemoteTo(half_tag, hn::BitCast(signed_pair_tag, joined)), half_tag, to);
}

// The low 16 bits of each lane, in the order of lanes, not of a row.
QUANTD_LANE void StoreHalves(LaneInt lanes, uint16_t* to) {
  const hn::Rebind<uint16_t, IntTag> tag;
  hn::StoreU(hn::DemoteTo(tag, lanes.low), tag, to);
  hn::StoreU(hn::DemoteTo(tag, lanes.high), tag, to + VectorLanes::kPerVector);
}

#else

template <WeightType kType>
QUANTD_LANE float LoadRow(const void* weights, int64_t first) {
  if constexpr (kType == WeightType::kF32) return static_cast<const float*>(weights)[first];
  const uint16_t stored = static_cast<const uint16_t*>(weights)[first];
  return kType == WeightType::kF16 ? HalfToFloat(stored) : Bf16ToFloat(stored);
}
template <int kGroups>
QUANTD_LANE float SpreadOverRow(const float* of_group) {
  return *of_group;
}
QUANTD_LANE float Smaller(float a, float b) { return a < b ? a : b; }
QUANTD_LANE float Larger(float a, float b) { return a > b ? a : b; }
template <int kGroups>
QUANTD_LANE void StoreLargest(float lane, float* of_group) {
  *of_group = lane;
}
QUANTD_LANE void StoreLargestOfBoth(float a, float b, float* of_a, float* of_b) {
  *of_a = a;
  *of_b = b;
}
QUANTD_LANE void StoreBytes(int32_t byte, uint8_t* to) { *to = static_cast<uint8_t>(byte); }
QUANTD_LANE void StoreHalves(int32_t lane, uint16_t* to) { *to = static_cast<uint16_t>(lane); }

#endif

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
