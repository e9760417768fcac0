// The range of each group of consecutive weights, found on their bits as they are stored (rows-inl.h).
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

// The smallest and the largest weight of each group of a batch. Where all weights have one sign, the smallest
// bits are the other edge. Returns whether there may be such a group, or one whose smallest weight is zero.
template <class Source, int kGroup>
QUANTD_LANE bool FindRange(const typename Source::Bits* x, LaneFloat& low, LaneFloat& high) {
  using Bits = typename Source::Bits;
  HWY_ALIGN Bits positive[Lanes::kCount], negative[Lanes::kCount];
  FindSignedExtremes<kGroup>(x, positive, negative);
  high = BlockValues<Source>(positive);
  low = BlockValues<Source>(negative);
  const LaneFloat zero(0.0f);
  if (!Lanes::Any((high < zero) | (low >= zero))) return false;
  HWY_ALIGN Bits smallest[Lanes::kCount];
  FindSmallestBits<kGroup>(x, smallest);
  const LaneFloat other = BlockValues<Source>(smallest);
  high = Lanes::Max(other, high);
  low = Lanes::Min(other, low);
  return true;
}

// The same of groups of 32, 64, 128 or 256 weights.
template <class Source>
QUANTD_LANE void FindRanges(const typename Source::Bits* x, int group, LaneFloat& low, LaneFloat& high) {
  switch (group) {
    case 32:
      FindRange<Source, 32>(x, low, high);
      return;
    case 64:
      FindRange<Source, 64>(x, low, high);
      return;
    case 128:
      FindRange<Source, 128>(x, low, high);
      return;
    default:
      FindRange<Source, 256>(x, low, high);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
