// Tables of 4 or 8 floats in registers, looked up by the lowest 2 or 3 bits of each index, whatever is above
// them: what packed indices need, and one instruction where the target has one that ignores those bits.
#include "workers/quant/lanes/vector_lanes-inl.h"

#if defined(QUANTD_LANES_REPEATED_TABLE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_REPEATED_TABLE_INL_H_
#undef QUANTD_LANES_REPEATED_TABLE_INL_H_
#else
#define QUANTD_LANES_REPEATED_TABLE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <int kSize>
class RepeatedTable {
 public:
  // Of what is looked up at once: vectors of 16 floats have no instruction for a table of 8.
  using Tag = hn::CappedTag<float, kSize == 4 ? 16 : 8>;
  using Floats = hn::Vec<Tag>;
  using Indices = hn::Vec<hn::RebindToSigned<Tag>>;

  RepeatedTable() = default;
  // entries(i): a vector of table[i % kSize], table[(i + 1) % kSize] …
  template <class Entries>
  explicit QUANTD_LANE RepeatedTable(Entries entries) {
    for (int v = 0; v < kVectors; ++v) vectors_[v] = entries(4 * v);
  }

  QUANTD_LANE Floats operator[](Indices index) const {
    const Tag tag;
#if HWY_TARGET <= HWY_AVX2
    if constexpr (kSize == 8) {
      return Floats{_mm256_permutevar8x32_ps(vectors_[0].raw, index.raw)};
    } else if constexpr (hn::MaxLanes(tag) == 16) {
      return Floats{_mm512_permutevar_ps(vectors_[0].raw, index.raw)};
    } else {
      return Floats{_mm256_permutevar_ps(vectors_[0].raw, index.raw)};
    }
#else
    const auto lanes = hn::IndicesFromVec(tag, hn::And(index, hn::Set(IntTag(), 3)));
    const auto low = hn::TableLookupLanes(vectors_[0], lanes);
    if constexpr (kSize == 4) {
      return low;
    } else {
      const auto high = hn::TableLookupLanes(vectors_[1], lanes);
      return hn::IfNegativeThenElse(hn::BitCast(tag, hn::ShiftLeft<29>(index)), high, low);
    }
#endif
  }

 private:
  static constexpr int kVectors = hn::MaxLanes(Tag()) < kSize ? 2 : 1;
  Floats vectors_[kVectors];
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
