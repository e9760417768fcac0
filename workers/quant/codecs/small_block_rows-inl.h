// Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 along the row: what vector targets run where there is no importance matrix.
// (small_blocks-inl.h has the same types as lane code: for importance matrices, for the scalar target and for
// CUDA. Scales and their inverses come from there.)
#include <bit>
#include <cstdint>
#include <cstring>

#include "workers/quant/codecs/small_blocks-inl.h"
#include "workers/quant/lanes/block_bytes-inl.h"
#include "workers/quant/lanes/row_ranges-inl.h"
#include "workers/quant/lanes/rows-inl.h"

#if defined(QUANTD_SMALL_BLOCK_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_SMALL_BLOCK_ROWS_INL_H_
#undef QUANTD_SMALL_BLOCK_ROWS_INL_H_
#else
#define QUANTD_SMALL_BLOCK_ROWS_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Levels of one block of four bits, two a byte: level i below, level 16 + i above. Levels may be one above
// the largest, unless `kFits`. (Joined before they are bytes, which saves an instruction of BlockBytes.)
template <bool kFits, class Source, class LevelsOf>
QUANTD_LANE void StoreNibblesOfOne(const typename Source::Bits* x, LevelsOf level_of, uint8_t* out) {
  constexpr int kPair = 2 * Lanes::kPerVector, kPairs = 16 / kPair;
  const WordTag tag;
  const hn::Rebind<uint8_t, WordTag> bytes;
  for (int i = 0; i < kPairs; ++i) {
    auto low = WordsOfPair<Source>(x, i, level_of), high = WordsOfPair<Source>(x, kPairs + i, level_of);
    if constexpr (!kFits) {
      low = hn::Min(low, hn::Set(tag, 15));
      high = hn::Min(high, hn::Set(tag, 15));
    }
    hn::StoreU(hn::DemoteTo(bytes, hn::Or(low, hn::ShiftLeft<4>(high))), bytes, out + i * kPair);
  }
}

// Stores levels of kBits bits of blocks that are `stride` apart: with five bits the levels' fifth ones, then
// nibbles. levels_of: see BlockBytes. Where a scale has no finite inverse all of a block's levels are below
// 0, and become 0.
template <int kBits, bool kFits, class Source, class LevelsOf>
QUANTD_LANE void StoreLevels(const typename Source::Bits* x, LevelsOf levels_of, uint8_t* out, int stride) {
  if constexpr (kBits == 4 && BlockBytes::kBlocks == 1) {
    return StoreNibblesOfOne<kFits, Source>(x, levels_of(0), out);
  }
  BlockBytes levels = BlockBytes::Of<Source>(x, levels_of);
  if constexpr (!kFits) levels = levels.AtMost((1 << kBits) - 1);
  if constexpr (kBits == 5) {
    levels.StoreFifthBits(out, stride);
    levels = levels.LowestFourBits();
    out += sizeof(uint32_t);
  }
  levels.StoreNibbles(out, stride);
}

// Bit i for block i of a batch, and back.
QUANTD_LANE uint32_t BitsOf(LaneMask blocks) {
  const uint64_t low = MaskBits(FloatTag(), blocks.low), high = MaskBits(FloatTag(), blocks.high);
  return static_cast<uint32_t>(low | high << Lanes::kPerVector);
}
QUANTD_LANE LaneMask MaskOf(uint32_t blocks) {
  const auto mask_of = [](uint32_t bits) {
    uint8_t bytes[8] = {};
    std::memcpy(bytes, &bits, sizeof bits);
    return hn::LoadMaskBits(FloatTag(), bytes);
  };
  return {mask_of(blocks), mask_of(blocks >> Lanes::kPerVector)};
}

// The first of a block's weights that has the same magnitude. There is one.
template <class Bits>
QUANTD_LANE Bits FirstOf(Bits weight, const Bits* x) {
  const hn::CappedTag<Bits, kSmallBlock> tag;
  const auto sign = hn::Set(tag, kSignBit<Bits>), magnitude = hn::Set(tag, weight & ~kSignBit<Bits>);
  constexpr int kPerVector = static_cast<int>(hn::MaxLanes(tag));
  uint32_t same = 0;
  for (int i = 0; i < kSmallBlock; i += kPerVector) {
    const auto is_same = hn::Eq(hn::AndNot(sign, hn::LoadU(tag, x + i)), magnitude);
    same |= static_cast<uint32_t>(MaskBits(tag, is_same)) << i;
  }
  return x[std::countr_zero(same)];
}

// The weights of largest magnitude of a batch of blocks, as PeakOf has them: the first one where several are
// as large, and no -0.
template <class Source>
QUANTD_LANE LaneFloat FindPeaks(const typename Source::Bits* x) {
  using Bits = typename Source::Bits;
  HWY_ALIGN Bits positives[Lanes::kCount], negatives[Lanes::kCount];
  FindSignedExtremes<kSmallBlock>(x, positives, negatives);
  const LaneFloat positive = BlockValues<Source>(positives), negative = BlockValues<Source>(negatives);
  LaneMask is_negative = Lanes::Abs(negative) > Lanes::Abs(positive);
  const LaneMask ties = (Lanes::Abs(positive) == Lanes::Abs(negative)) & !(positive == negative);
  if (Lanes::Any(ties)) {
    uint32_t negative_first = 0;
    for (uint32_t left = BitsOf(ties); left != 0; left &= left - 1) {
      const int block = std::countr_zero(left);
      const Bits first = FirstOf(positives[block], x + block * kSmallBlock);
      negative_first |= uint32_t{(first & kSignBit<Bits>) != 0} << block;
    }
    is_negative = is_negative | MaskOf(negative_first);
  }
  return Lanes::Select(is_negative, negative, positive) + LaneFloat(0.0f);
}

// The first zeros of the blocks that `zeros` names, else `low`.
template <class Source>
QUANTD_LANE LaneFloat FirstZeros(const typename Source::Bits* x, LaneMask zeros, LaneFloat low) {
  using Bits = typename Source::Bits;
  uint32_t negative = 0;
  for (uint32_t left = BitsOf(zeros); left != 0; left &= left - 1) {
    const int block = std::countr_zero(left);
    const Bits first = FirstOf(Bits{0}, x + block * kSmallBlock);
    negative |= uint32_t{first != 0} << block;
  }
  const LaneFloat first = Lanes::Select(MaskOf(negative), LaneFloat(-0.0f), LaneFloat(0.0f));
  return Lanes::Select(zeros, first, low);
}

// The smallest and the largest weights of a batch of blocks; the first zero where the smallest is one.
template <class Source>
QUANTD_LANE void FindEdges(const typename Source::Bits* x, LaneFloat& low, LaneFloat& high) {
  if (!FindRange<Source, kSmallBlock>(x, low, high)) return;
  const LaneMask zeros = low == LaneFloat(0.0f);
  if (Lanes::Any(zeros)) low = FirstZeros<Source>(x, zeros, low);
}

// Q4_0 and Q5_0.
template <class Source, int kBits>
class SymmetricRows {
 public:
  using Bits = typename Source::Bits;
  using Code = SymmetricSmallBlock<Lanes, kBits>;
  static constexpr int kWeights = kSmallBlock, kBytes = Code::kBytes, kAtOnce = BlockBytes::kBlocks;

  QUANTD_LANE void Prepare(const Bits* x) {
    const LaneFloat scales = Code::ScaleOf(FindPeaks<Source>(x));
    Lanes::Store(HalvesOf(scales), halves_);
    inverses_.Set(InverseOrZero<Lanes>(scales));
  }

  QUANTD_LANE void Store(int block, const Bits* x, uint8_t* out) const {
    const auto levels_of = [&](int i) {
      const auto inverse = inverses_[block + i], offset = hn::Set(FloatTag(), Code::kOffset);
      return [=](FloatVector weights) {
        return Lanes::TruncateVector(hn::Add(hn::Mul(weights, inverse), offset));
      };
    };
    for (int i = 0; i < kAtOnce; ++i) std::memcpy(out + i * kBytes, halves_ + block + i, 2);
    StoreLevels<kBits, /*kFits=*/false, Source>(x, levels_of, out + 2, kBytes);
  }

 private:
  HWY_ALIGN uint32_t halves_[Lanes::kCount];
  BlockFloats inverses_;
};

// Q4_1 and Q5_1.
template <class Source, int kBits>
class RangeRows {
 public:
  using Bits = typename Source::Bits;
  using Code = RangeSmallBlock<Lanes, kBits>;
  static constexpr int kWeights = kSmallBlock, kBytes = Code::kBytes, kAtOnce = BlockBytes::kBlocks;

  QUANTD_LANE void Prepare(const Bits* x) {
    LaneFloat low, high;
    FindEdges<Source>(x, low, high);
    const LaneFloat scales = Code::ScaleOf(low, high);
    Lanes::Store(HalvesOf(scales) | HalvesOf(low) << 16, heads_);
    inverses_.Set(InverseOrZero<Lanes>(scales));
    minima_.Set(low);
  }

  QUANTD_LANE void Store(int block, const Bits* x, uint8_t* out) const {
    const auto levels_of = [&](int i) {
      const auto inverse = inverses_[block + i], minimum = minima_[block + i],
                 offset = hn::Set(FloatTag(), Code::kOffset), one = hn::Set(FloatTag(), 1.0f);
      // weights * 1 - minimum: the units that multiply have time to subtract, those that add have not.
      return [=](FloatVector weights) {
        const auto above = hn::MulSub(weights, one, minimum);
        return Lanes::TruncateVector(hn::Add(hn::Mul(above, inverse), offset));
      };
    };
    for (int i = 0; i < kAtOnce; ++i) std::memcpy(out + i * kBytes, heads_ + block + i, 4);
    // The largest weight's level is the largest one and a half, but for a part in 2^20.
    StoreLevels<kBits, /*kFits=*/true, Source>(x, levels_of, out + 4, kBytes);
  }

 private:
  HWY_ALIGN uint32_t heads_[Lanes::kCount];
  BlockFloats inverses_, minima_;
};

template <class Source>
using Q4_0Rows = SymmetricRows<Source, 4>;
template <class Source>
using Q5_0Rows = SymmetricRows<Source, 5>;
template <class Source>
using Q4_1Rows = RangeRows<Source, 4>;
template <class Source>
using Q5_1Rows = RangeRows<Source, 5>;

template <class Source>
class Q8_0Rows {
 public:
  using Bits = typename Source::Bits;
  static constexpr int kWeights = kSmallBlock, kBytes = Q8_0<Lanes>::kBytes, kAtOnce = 1;

  QUANTD_LANE void Prepare(const Bits* x) {
    const LaneFloat scales = Q8_0<Lanes>::ScaleOf(LargestMagnitudes<Source, kSmallBlock>(x));
    Lanes::Store(HalvesOf(scales), halves_);
    inverses_.Set(FiniteInverses(scales));  // levels are 0 where the inverse is 0 or infinite
  }

  QUANTD_LANE void Store(int block, const Bits* x, uint8_t* out) const {
    const auto inverse = inverses_[block];
    std::memcpy(out, halves_ + block, 2);
    const auto level_of = [=](FloatVector weights) { return RoundHalfAway(hn::Mul(weights, inverse)); };
    BytesOf32<int8_t, Source>(x, level_of).Store(out + 2);
  }

 private:
  HWY_ALIGN uint32_t halves_[Lanes::kCount];
  BlockFloats inverses_;
};

// Decoding: the levels as bytes, then a vector of them at a time.
struct DecodedLevels {
  HWY_ALIGN int8_t levels[kSmallBlock];

  explicit QUANTD_LANE DecodedLevels(const uint8_t* nibbles) {
    const auto bytes = hn::LoadU(ByteTag(), nibbles);
    const hn::Full128<uint16_t> wide;
    const auto low = hn::Set(ByteTag(), 15);
    const auto shifted = hn::BitCast(ByteTag(), hn::ShiftRight<4>(hn::BitCast(wide, bytes)));
    Set(hn::And(bytes, low), hn::And(shifted, low));
  }
  QUANTD_LANE DecodedLevels(const uint8_t* nibbles, const uint8_t* fifth_bits) : DecodedLevels(nibbles) {
    const auto fifth = hn::Set(ByteTag(), 16);
    const auto with = [&](int first) {
      uint8_t bits[8] = {fifth_bits[first / 8], fifth_bits[first / 8 + 1]};
      const auto added = hn::IfThenElseZero(hn::LoadMaskBits(ByteTag(), bits), fifth);
      return hn::Or(hn::Load(ByteTag(), reinterpret_cast<const uint8_t*>(levels) + first), added);
    };
    Set(with(0), with(16));
  }

 private:
  QUANTD_LANE void Set(ByteVector first, ByteVector second) {
    hn::Store(first, ByteTag(), reinterpret_cast<uint8_t*>(levels));
    hn::Store(second, ByteTag(), reinterpret_cast<uint8_t*>(levels) + 16);
  }
};

QUANTD_LANE void DecodeAround(const DecodedLevels& decoded, float middle, uint16_t half, float* weights) {
  const auto scale = SetHalf(half), middles = hn::Set(FloatTag(), middle);
  DecodeBytes(
      decoded.levels, [=](FloatVector level) { return hn::Mul(hn::Sub(level, middles), scale); }, weights);
}
QUANTD_LANE void DecodeFrom(const DecodedLevels& decoded, uint16_t half, uint16_t half_minimum,
                            float* weights) {
  const auto scale = SetHalf(half), minimum = SetHalf(half_minimum);
  DecodeBytes(
      decoded.levels, [=](FloatVector level) { return hn::Add(hn::Mul(level, scale), minimum); }, weights);
}

inline void DecodeRow(const BlockQ4_0& block, float* weights) {
  DecodeAround(DecodedLevels(block.levels), 8.0f, block.scale, weights);
}
inline void DecodeRow(const BlockQ5_0& block, float* weights) {
  DecodeAround(DecodedLevels(block.levels, block.high_bits), 16.0f, block.scale, weights);
}
inline void DecodeRow(const BlockQ4_1& block, float* weights) {
  DecodeFrom(DecodedLevels(block.levels), block.scale, block.minimum, weights);
}
inline void DecodeRow(const BlockQ5_1& block, float* weights) {
  DecodeFrom(DecodedLevels(block.levels, block.high_bits), block.scale, block.minimum, weights);
}
inline void DecodeRow(const BlockQ8_0& block, float* weights) {
  const auto scale = SetHalf(block.scale);
  DecodeBytes(
      block.levels, [=](FloatVector level) { return hn::Mul(level, scale); }, weights);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#else  // the scalar target has the lane code
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class Source>
class Q4_0Rows;
template <class Source>
class Q4_1Rows;
template <class Source>
class Q5_0Rows;
template <class Source>
class Q5_1Rows;
template <class Source>
class Q8_0Rows;
template <class Block>
void DecodeRow(const Block& block, float* weights) {
  DecodeBlock(block, weights);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
