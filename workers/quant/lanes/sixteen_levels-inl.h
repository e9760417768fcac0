// The nearest of sixteen levels that are not evenly spaced: a binary search over the thresholds between them.
// On vectors the search looks thresholds and values up in 16-byte tables, because shuffles of bytes are the
// cheapest permutation of every target. AVX-512 permutes tables of 32 floats, which take the place of the
// search where only the value is asked for: one threshold is left to compare with in each of 32 buckets.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_SIXTEEN_LEVELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_SIXTEEN_LEVELS_INL_H_
#undef QUANTD_LANES_SIXTEEN_LEVELS_INL_H_
#else
#define QUANTD_LANES_SIXTEEN_LEVELS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Values are ascending integers of a signed byte. thresholds[i] parts level i from level i + 1, to which it
// belongs itself; its eight most significant bits are all it has.
struct SixteenLevels {
  float values[16];
  float thresholds[15];
};

QUANTD_LANE int32_t NearestOfSixteen(const SixteenLevels& levels, float x) {
  int32_t level = x < levels.thresholds[7] ? 0 : 8;
  level += x < levels.thresholds[level + 3] ? 0 : 4;
  level += x < levels.thresholds[level + 1] ? 0 : 2;
  return level + (x < levels.thresholds[level] ? 0 : 1);
}

// Level: the level whose value is nearest to x; of NaN the highest. Value: the value of that level, for x of
// a magnitude that exceeds that of all values by a twentieth at most; any value for other x.
template <class L, SixteenLevels (*kLevels)()>
struct LevelSearch {
  // (Local to a function: that is where a GPU may read it.)
  static QUANTD_TABLE const SixteenLevels& Table() {
    static constexpr SixteenLevels kTable = kLevels();
    return kTable;
  }
  static QUANTD_LANE int32_t Level(float x) { return NearestOfSixteen(Table(), x); }
  static QUANTD_LANE float Value(float x) { return Table().values[Level(x)]; }
};

#if !defined(__CUDACC__) && HWY_TARGET != HWY_SCALAR

// tables[s - 1], s from 1 to 3: the thresholds that are asked for after s bits of the level are known, which
// are the top bits of the index. Two bytes each (the upper two of the float), the upper byte at odd indices.
// tables[3]: the values.
struct SixteenLevelBytes {
  alignas(16) uint8_t tables[4][16];

  constexpr explicit SixteenLevelBytes(const SixteenLevels& levels) : tables() {
    for (int known = 1; known <= 3; ++known) {
      const int span = 16 >> known;  // of the levels that are left
      for (int i = 0; i < 16; ++i) {
        const float threshold = levels.thresholds[i / span * span + span / 2 - 1];
        tables[known - 1][i] = static_cast<uint8_t>(std::bit_cast<uint32_t>(threshold) >> (16 + i % 2 * 8));
      }
    }
    for (int i = 0; i < 16; ++i) tables[3][i] = static_cast<uint8_t>(static_cast<int8_t>(levels.values[i]));
  }
};

#if HWY_TARGET <= HWY_AVX3

// Numbers in buckets of equal width, the smallest gap between thresholds, so that none has two of them. The
// value of what is below a bucket's threshold is that of the bucket before.
struct LevelBuckets {
  static constexpr int kCount = 32, kOfZero = 16;

  float per_unit;
  alignas(64) float thresholds[kCount];
  alignas(64) float values[kCount];

  constexpr explicit LevelBuckets(const SixteenLevels& levels) : per_unit(0.0f), thresholds(), values() {
    for (int i = 0; i < 14; ++i)
      per_unit = std::max(per_unit, 1.0f / (levels.thresholds[i + 1] - levels.thresholds[i]));
    int level = 0;
    for (int bucket = 0; bucket < kCount; ++bucket) {
      const bool has_threshold = level < 15 && BucketOf(levels.thresholds[level]) == bucket;
      thresholds[bucket] = has_threshold ? levels.thresholds[level++] : -INFINITY;
      values[bucket] = levels.values[level];
    }
  }

  // Whether the rounding of a product never puts a number on the other side of a threshold into another
  // bucket, and Value's x are all in one.
  constexpr bool Suit(const SixteenLevels& levels) const {
    for (float threshold : levels.thresholds) {
      if (BucketOf(threshold * 1.0001f) != BucketOf(threshold * 0.9999f)) return false;
    }
    const float most = 1.06f * std::max(-levels.values[0], levels.values[15]);
    return BucketOf(-most) >= 0 && BucketOf(most) < kCount && values[kCount - 1] == levels.values[15];
  }

 private:
  constexpr int BucketOf(float x) const { return static_cast<int>(x * per_unit + (kOfZero + 0.5f)); }
};

#endif

template <SixteenLevels (*kLevels)()>
struct LevelSearch<VectorLanes, kLevels> {
  static QUANTD_LANE LaneInt Level(LaneFloat x) { return {LevelOf(Search(x.low)), LevelOf(Search(x.high))}; }
  static QUANTD_LANE LaneFloat Value(LaneFloat x) { return {ValueOf(x.low), ValueOf(x.high)}; }

 private:
  using Floats = hn::Vec<FloatTag>;
  using Ints = hn::Vec<IntTag>;
  static constexpr SixteenLevels kTable = kLevels();
  static constexpr SixteenLevelBytes kBytes{kTable};

  static QUANTD_LANE Ints LookUp(int table, Ints bytes) {
    const hn::Repartition<uint8_t, IntTag> byte_tag;
    return hn::BitCast(IntTag(), hn::TableLookupBytesOr0(hn::LoadDup128(byte_tag, kBytes.tables[table]),
                                                         hn::BitCast(byte_tag, bytes)));
  }

  // Each 32 bits hold four indices of bytes: the level in the upper byte and, with bit 7 set so that it looks
  // up a zero, in the lowest; one less in the second, where lie the thresholds' other bytes. All begin with
  // the highest level that is left, and each step subtracts a bit where x is below the threshold.
  static QUANTD_LANE Ints Search(Floats x) {
    const IntTag tag;
    const auto step = [&](Ints bytes, int table, int32_t bit) {
      const auto below = hn::Lt(x, hn::BitCast(FloatTag(), LookUp(table, bytes)));
      return hn::IfThenElse(hn::RebindMask(tag, below), hn::Sub(bytes, hn::Set(tag, bit)), bytes);
    };
    const auto below = hn::Lt(x, hn::Set(FloatTag(), kTable.thresholds[7]));
    Ints bytes =
        hn::IfThenElse(hn::RebindMask(tag, below), hn::Set(tag, 0x07068087), hn::Set(tag, 0x0f0e808f));
    bytes = step(bytes, 0, 0x04040004);
    bytes = step(bytes, 1, 0x02020002);
    return step(bytes, 2, 0x01000001);
  }

  static QUANTD_LANE Ints LevelOf(Ints bytes) { return hn::ShiftRight<24>(bytes); }

#if HWY_TARGET <= HWY_AVX3
  static constexpr LevelBuckets kBuckets{kTable};
  static_assert(kBuckets.Suit(kTable));

  static QUANTD_LANE Floats LookUpBucket(const float* table, Ints buckets) {
    const FloatTag tag;
    return Floats{
        _mm512_permutex2var_ps(hn::Load(tag, table).raw, buckets.raw, hn::Load(tag, table + 16).raw)};
  }

  // The sum with 2^23 has the bucket in its last bits, which are all that is looked at.
  static QUANTD_LANE Floats ValueOf(Floats x) {
    const FloatTag tag;
    const auto zero_bucket = hn::Set(tag, 0x1p23f + LevelBuckets::kOfZero);
    const auto bucket = hn::BitCast(IntTag(), hn::MulAdd(x, hn::Set(tag, kBuckets.per_unit), zero_bucket));
    const auto below = hn::RebindMask(IntTag(), hn::Lt(x, LookUpBucket(kBuckets.thresholds, bucket)));
    const auto before = hn::Sub(bucket, hn::Set(IntTag(), 1));
    return LookUpBucket(kBuckets.values, hn::IfThenElse(below, before, bucket));
  }
#else
  static QUANTD_LANE Floats ValueOf(Floats x) {
    return hn::ConvertTo(FloatTag(), hn::ShiftRight<24>(LookUp(3, Search(x))));
  }
#endif
};

#endif

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
