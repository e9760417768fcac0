// Look-ups in a table of 4 or 8 floats by the lowest 2 or 3 bits of each index, whatever is above them: what
// packed indices need, and one instruction where the target has one that ignores those bits.
#include "workers/quant/lanes/vector_lanes-inl.h"

#if defined(QUANTD_LANES_REPEATED_TABLE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_REPEATED_TABLE_INL_H_
#undef QUANTD_LANES_REPEATED_TABLE_INL_H_
#else
#define QUANTD_LANES_REPEATED_TABLE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// `table` is aligned as a vector and holds kSize floats again and again, kRepeatedTable<kSize> of them.
template <int kSize>
inline constexpr int kRepeatedTable = kSize == 4               ? 4
                                      : HWY_TARGET <= HWY_AVX3 ? 16
                                                               : 8;

#if HWY_TARGET <= HWY_AVX3
template <int kSize>
QUANTD_LANE hn::Vec<FloatTag> LookupRepeated(const float* table, hn::Vec<IntTag> index) {
  if constexpr (kSize == 4) {
    return hn::Vec<FloatTag>{_mm512_permutevar_ps(hn::LoadDup128(FloatTag(), table).raw, index.raw)};
  } else {
    return hn::Vec<FloatTag>{_mm512_permutexvar_ps(index.raw, hn::Load(FloatTag(), table).raw)};
  }
}
#elif HWY_TARGET <= HWY_AVX2
template <int kSize>
QUANTD_LANE hn::Vec<FloatTag> LookupRepeated(const float* table, hn::Vec<IntTag> index) {
  if constexpr (kSize == 4) {
    return hn::Vec<FloatTag>{_mm256_permutevar_ps(hn::LoadDup128(FloatTag(), table).raw, index.raw)};
  } else {
    return hn::Vec<FloatTag>{_mm256_permutevar8x32_ps(hn::Load(FloatTag(), table).raw, index.raw)};
  }
}
#else
template <int kSize>
QUANTD_LANE hn::Vec<FloatTag> LookupRepeated(const float* table, hn::Vec<IntTag> index) {
  const FloatTag tag;
  const auto lanes = hn::IndicesFromVec(tag, hn::And(index, hn::Set(IntTag(), 3)));
  const auto low = hn::TableLookupLanes(hn::Load(tag, table), lanes);
  if constexpr (kSize == 4) {
    return low;
  } else {
    const auto high = hn::TableLookupLanes(hn::Load(tag, table + 4), lanes);
    return hn::IfNegativeThenElse(hn::BitCast(tag, hn::ShiftLeft<29>(index)), high, low);
  }
}
#endif

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
