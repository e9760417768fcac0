// The range of each group of consecutive weights, found on their bits as they are stored (rows-inl.h).
#include <atomic>

#include "workers/quant/lanes/rows-inl.h"

#if defined(QUANTD_LANES_ROW_RANGES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_ROW_RANGES_INL_H_
#undef QUANTD_LANES_ROW_RANGES_INL_H_
#else
#define QUANTD_LANES_ROW_RANGES_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// The smallest and the largest weight of each group of a batch. As signed numbers the largest bits are those
// of the largest positive weight, as unsigned ones those of the negative weight of largest magnitude; where
// all weights have one sign, both are the weight of largest magnitude, and the smallest bits the other edge.
template <class Source, int kGroup>
QUANTD_LANE void FindRange(const typename Source::Bits* x, LaneFloat& low, LaneFloat& high) {
  using Bits = typename Source::Bits;
  const auto larger = [](auto a, auto b) { return hn::Max(a, b); };
  const auto smaller = [](auto a, auto b) { return hn::Min(a, b); };
  const auto as_stored = [](auto bits) { return bits; };
  const auto as_signed = [](auto bits) {
    return hn::BitCast(hn::RebindToSigned<hn::DFromV<decltype(bits)> >(), bits);
  };
  HWY_ALIGN Bits extremes[Lanes::kCount];
  FindExtremes<Bits, kGroup>(x, as_signed, larger, extremes);
  high = BlockValues<Source>(extremes);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // to read a batch again is faster than to keep it
  FindExtremes<Bits, kGroup>(x, as_stored, larger, extremes);
  low = BlockValues<Source>(extremes);
  const LaneMask none_positive = Lanes::Bits(high) < LaneInt(0),
                 none_negative = Lanes::Bits(low) >= LaneInt(0);
  if (Lanes::Any(none_positive | none_negative)) {
    FindExtremes<Bits, kGroup>(x, as_stored, smaller, extremes);
    const LaneFloat other = BlockValues<Source>(extremes);
    high = Lanes::Select(none_positive, other, high);
    low = Lanes::Select(none_negative, other, low);
  }
}

// The same of groups of 32, 64, 128 or 256 weights.
template <class Source>
QUANTD_LANE void FindRanges(const typename Source::Bits* x, int group, LaneFloat& low, LaneFloat& high) {
  switch (group) {
    case 32:
      return FindRange<Source, 32>(x, low, high);
    case 64:
      return FindRange<Source, 64>(x, low, high);
    case 128:
      return FindRange<Source, 128>(x, low, high);
    default:
      return FindRange<Source, 256>(x, low, high);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
