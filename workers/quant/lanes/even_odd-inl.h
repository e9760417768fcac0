// Levels along the row, of 16 bits: a vector of them is made of two vectors of floats, one of the weights
// with even indices, one of those with odd ones. 16-bit weights are widened in that order, and their levels
// joined, without moving anything between lanes.
#include <type_traits>

#include "workers/quant/lanes/rows-inl.h"

#if defined(QUANTD_LANES_EVEN_ODD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_EVEN_ODD_INL_H_
#undef QUANTD_LANES_EVEN_ODD_INL_H_
#else
#define QUANTD_LANES_EVEN_ODD_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Consecutive weights in lanes of 16 bits.
using OrderedTag = hn::Repartition<uint16_t, FloatTag>;
using Ordered = hn::Vec<OrderedTag>;
inline constexpr int kOrdered = Lanes::kCount;

struct EvenOdd {
  FloatVector even, odd;
};

// kOrdered weights.
template <class Source>
QUANTD_LANE EvenOdd LoadEvenOdd(const typename Source::Bits* x) {
  const FloatTag tag;
  if constexpr (std::is_same_v<Source, Bf16Source>) {
    const hn::RebindToUnsigned<FloatTag> pair_tag;
    const auto pairs = hn::BitCast(pair_tag, hn::LoadU(OrderedTag(), x));
    return {hn::BitCast(tag, hn::ShiftLeft<16>(pairs)),
            hn::BitCast(tag, hn::And(pairs, hn::Set(pair_tag, 0xffff0000u)))};
  } else {
    const auto a = Source::Load(x), b = Source::Load(x + Lanes::kPerVector);
    return {hn::ConcatEven(tag, b, a), hn::ConcatOdd(tag, b, a)};
  }
}

// Of each float's bits, the 16 from `kShift` on.
template <int kShift>
QUANTD_LANE Ordered OrderedBits(EvenOdd floats) {
  const hn::RebindToUnsigned<FloatTag> tag;
  const auto even = hn::ShiftRight<kShift>(hn::BitCast(tag, floats.even));
  const auto odd = hn::ShiftLeft<16 - kShift>(hn::BitCast(tag, floats.odd));
  return hn::OddEven(hn::BitCast(OrderedTag(), odd), hn::BitCast(OrderedTag(), even));
}

// A byte of each lane, which is below 256.
QUANTD_LANE void StoreBytes(Ordered bytes, uint8_t* to) {
  const hn::Rebind<uint8_t, OrderedTag> byte_tag;
  const auto words = hn::BitCast(hn::RebindToSigned<OrderedTag>(), bytes);
  hn::StoreU(hn::DemoteTo(byte_tag, words), byte_tag, to);
}

// Lanes of four vectors, below 16, two a byte, the first in the low half. Byte v of each 32-bit lane becomes
// two lanes of vector v; the bytes of a 128-bit part are then brought together by vectors, and the vectors'
// shares of all parts too.
QUANTD_LANE void StoreNibbles(const Ordered (&levels)[4], uint8_t* to) {
  const hn::Repartition<uint32_t, OrderedTag> pair_tag;
  const hn::Repartition<uint8_t, OrderedTag> byte_tag;
  const auto joined = [&](Ordered a, Ordered b) {
    const auto both = hn::BitCast(pair_tag, hn::Or(a, hn::ShiftLeft<8>(b)));
    return hn::Or(both, hn::ShiftRight<12>(both));
  };
  const auto first = joined(levels[0], levels[1]);
  const auto second = hn::ShiftLeft<16>(joined(levels[2], levels[3]));
  const auto all =
      hn::BitCast(byte_tag, hn::OddEven(hn::BitCast(OrderedTag(), second), hn::BitCast(OrderedTag(), first)));
  alignas(16) static constexpr uint8_t kByVector[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  const auto by_vector = hn::TableLookupBytes(all, hn::LoadDup128(byte_tag, kByVector));
  if constexpr (Lanes::kPerVector == 4) {
    hn::StoreU(by_vector, byte_tag, to);
  } else {
    alignas(64) static constexpr int32_t kOrder[2][16] = {
        {0, 4, 1, 5, 2, 6, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0},
        {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
    };
    const auto order = hn::SetTableIndices(IntTag(), kOrder[Lanes::kPerVector / 16]);
    const auto ordered = hn::TableLookupLanes(hn::BitCast(IntTag(), by_vector), order);
    hn::StoreU(hn::BitCast(byte_tag, ordered), byte_tag, to);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
