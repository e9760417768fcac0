// Kernels along the row, for types that need no search: a vector holds consecutive weights of one block, so
// that nothing is transposed and what is left to do is to read and write memory. The work goes in three steps
// over as many blocks as there are lanes:
//   1. extremes   of each block, found on the bits of the weights as they are stored: finite floats are
//   ordered
//                 as their bits are, signs aside, so that 16-bit weights take half the vectors;
//   2. parameters (scales and their inverses) with a block in each lane, by the formulas of the lane code;
//   3. levels     of each block, along the row.
// Maxima and minima do not depend on the order in which they are taken, but for signs of equal magnitudes,
// which step 2 looks after. The blocks that are worked on together are called a batch.
//
// `Kernel` is a struct template over the source of weights with
//   kWeights, kBytes                        of a block;
//   kAtOnce                                 blocks that step 3 takes at once, a divisor of Lanes::kCount;
//   void Prepare(const Bits* x)             steps 1 and 2, for Lanes::kCount blocks at x;
//   void Store(int block, const Bits* x, uint8_t* out) const   step 3, for kAtOnce blocks from that one on,
//                                           which are at x.
// Not for the scalar target, which runs the lane code.
#include <hwy/cache_control.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "workers/quant/codec.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/block_extremes-inl.h"
#include "workers/quant/lanes/half-inl.h"
#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_ROWS_INL_H_
#undef QUANTD_LANES_ROWS_INL_H_
#else
#define QUANTD_LANES_ROWS_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

using FloatVector = hn::Vec<FloatTag>;
using IntVector = hn::Vec<IntTag>;
using ByteTag = hn::Full128<uint8_t>;
using ByteVector = hn::Vec<ByteTag>;

// The types of weights, each with
//   Bits                 as which a weight is stored;
//   Load(x)              a vector of weights as floats;
//   LoadPair(x, a, b)    two of them, in order or, where kPairsByParts, in the order in which PackPair wants
//   them.
struct InOrder {
  static constexpr bool kPairsByParts = false;
};
struct F32Source : InOrder {
  using Bits = uint32_t;
  static QUANTD_LANE FloatVector Load(const Bits* x) {
    return hn::BitCast(FloatTag(), hn::LoadU(hn::RebindToUnsigned<FloatTag>(), x));
  }
  static QUANTD_LANE void LoadPair(const Bits* x, FloatVector& a, FloatVector& b) {
    a = Load(x);
    b = Load(x + Lanes::kPerVector);
  }
};
struct F16Source : InOrder {
  using Bits = uint16_t;
  static QUANTD_LANE FloatVector Load(const Bits* x) {
    const auto stored = hn::LoadU(hn::Rebind<uint16_t, FloatTag>(), x);
    return hn::PromoteTo(FloatTag(), hn::BitCast(hn::Rebind<hwy::float16_t, FloatTag>(), stored));
  }
  static QUANTD_LANE void LoadPair(const Bits* x, FloatVector& a, FloatVector& b) {
    a = Load(x);
    b = Load(x + Lanes::kPerVector);
  }
};
struct Bf16Source {
  using Bits = uint16_t;
  static constexpr bool kPairsByParts = true;
  static QUANTD_LANE FloatVector Load(const Bits* x) {
    const auto stored = hn::LoadU(hn::Rebind<uint16_t, FloatTag>(), x);
    return hn::BitCast(FloatTag(),
                       hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<FloatTag>(), stored)));
  }
  static QUANTD_LANE void LoadPair(const Bits* x, FloatVector& a, FloatVector& b) {
    const hn::Repartition<uint16_t, FloatTag> tag;
    const auto stored = hn::LoadU(tag, x);
    a = hn::BitCast(FloatTag(), hn::InterleaveLower(tag, hn::Zero(tag), stored));
    b = hn::BitCast(FloatTag(), hn::InterleaveUpper(tag, hn::Zero(tag), stored));
  }
};

// The 16 bits of F16 of a vector of finite weights, nearest, ties to even.
using HalfTag = hn::Rebind<uint16_t, FloatTag>;
QUANTD_LANE hn::Vec<HalfTag> NarrowToHalf(FloatVector v) {
#if HWY_TARGET <= HWY_AVX2  // has an instruction; Highway's way without one truncates
  return hn::BitCast(HalfTag(), hn::DemoteTo(hn::Rebind<hwy::float16_t, FloatTag>(), v));
#else
  return hn::DemoteTo(HalfTag(), ToHalf<Lanes>({v, v}).low);
#endif
}

// ToHalf of lanes that are not NaN, in the instruction where there is one.
QUANTD_LANE LaneInt HalvesOf(LaneFloat values) {
#if HWY_TARGET <= HWY_AVX2
  return {hn::PromoteTo(IntTag(), NarrowToHalf(values.low)),
          hn::PromoteTo(IntTag(), NarrowToHalf(values.high))};
#else
  return ToHalf<Lanes>(values);
#endif
}

// Calls run(source, bits) with the source of the weights' type.
template <class Run>
QUANTD_LANE void WithSource(const WeightRows& weights, Run run) {
  switch (weights.type) {
    case WeightType::kF32:
      return run(F32Source(), static_cast<const uint32_t*>(weights.data));
    case WeightType::kF16:
      return run(F16Source(), static_cast<const uint16_t*>(weights.data));
    case WeightType::kBf16:
      return run(Bf16Source(), static_cast<const uint16_t*>(weights.data));
  }
}

template <class Bits>
inline constexpr Bits kSignBit = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));

// Stored values of a batch of blocks, one block in a lane.
template <class Source>
QUANTD_LANE LaneFloat BlockValues(const typename Source::Bits* bits) {
  return {Source::Load(bits), Source::Load(bits + Lanes::kPerVector)};
}

// The largest magnitude of each block of a batch.
template <class Source, int kWeights>
QUANTD_LANE LaneFloat LargestMagnitudes(const typename Source::Bits* x) {
  using Bits = typename Source::Bits;
  HWY_ALIGN Bits largest[Lanes::kCount];
  const auto magnitude = [](auto bits) {
    return hn::AndNot(hn::Set(hn::DFromV<decltype(bits)>(), kSignBit<Bits>), bits);
  };
  FindExtremes<kWeights>(
      x, magnitude, [](auto a, auto b) { return hn::Max(a, b); }, largest);
  return BlockValues<Source>(largest);
}

// A number for each block of a batch, to fill vectors with.
class BlockFloats {
 public:
  QUANTD_LANE void Set(LaneFloat values) {
    hn::Store(values.low, FloatTag(), values_);
    hn::Store(values.high, FloatTag(), values_ + Lanes::kPerVector);
  }
  QUANTD_LANE FloatVector operator[](int block) const { return hn::Set(FloatTag(), values_[block]); }

 private:
  HWY_ALIGN float values_[Lanes::kCount];
};

using WordTag = hn::Repartition<int16_t, FloatTag>;
using WordVector = hn::Vec<WordTag>;

// Two vectors of integers as 16-bit ones. Those that none holds become the nearest one. Packing works within
// 128-bit parts: of a pair in order, the halves of the result's parts must be brought into theirs.
template <bool kByParts>
QUANTD_LANE WordVector PackPair(IntVector a, IntVector b) {
  const auto packed = hn::ReorderDemote2To(WordTag(), a, b);
  if constexpr (kByParts || Lanes::kPerVector == 4) {
    return packed;
  } else {
    alignas(64) static constexpr int32_t kOrder[2][16] = {
        {0, 1, 4, 5, 2, 3, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0},
        {0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15},
    };
    const auto order = hn::SetTableIndices(IntTag(), kOrder[Lanes::kPerVector / 16]);
    return hn::BitCast(WordTag(), hn::TableLookupLanes(hn::BitCast(IntTag(), packed), order));
  }
}

// 32 bytes.
struct ByteBlock {
  ByteVector first, second;

  QUANTD_LANE void Store(uint8_t* out) const {
    hn::StoreU(first, ByteTag(), out);
    hn::StoreU(second, ByteTag(), out + 16);
  }
};

// Of 32, 16 or 8 bytes each.
template <class Part>
QUANTD_LANE ByteBlock JoinBytes(Part part) {
  using Tag = hn::DFromV<decltype(part(0))>;
  if constexpr (hn::MaxLanes(Tag()) == 32) {
    const auto all = part(0);
    return {hn::LowerHalf(ByteTag(), all), hn::UpperHalf(ByteTag(), all)};
  } else if constexpr (hn::MaxLanes(Tag()) == 16) {
    return {part(0), part(1)};
  } else {
    return {hn::Combine(ByteTag(), part(1), part(0)), hn::Combine(ByteTag(), part(3), part(2))};
  }
}

// Integers of pair i of vectors of weights at x as 16-bit ones.
template <class Source, class IntegersOf>
QUANTD_LANE WordVector WordsOfPair(const typename Source::Bits* x, int i, IntegersOf integers_of) {
  FloatVector a, b;
  Source::LoadPair(x + i * 2 * Lanes::kPerVector, a, b);
  return PackPair<Source::kPairsByParts>(integers_of(a), integers_of(b));
}

// Integers of 32 weights at x as `Byte`s, `integers_of` a vector of weights. Those that no Byte holds become
// the nearest one.
template <class Byte, class Source, class IntegersOf>
QUANTD_LANE ByteBlock BytesOf32(const typename Source::Bits* x, IntegersOf integers_of) {
  constexpr int kPair = 2 * Lanes::kPerVector;
  const auto pair = [&](int i) {
    const auto words = WordsOfPair<Source>(x, i, integers_of);
    return hn::BitCast(hn::CappedTag<uint8_t, kPair>(), hn::DemoteTo(hn::CappedTag<Byte, kPair>(), words));
  };
  return JoinBytes(pair);
}

// Bit i for lane i.
template <class Tag>
QUANTD_LANE uint64_t MaskBits(Tag tag, hn::Mask<Tag> mask) {
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(tag, mask, bytes);
  uint64_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return bits;
}

// 1 / scales; 0 where there is no such number or a subnormal scale has an infinite inverse.
QUANTD_LANE LaneFloat FiniteInverses(LaneFloat scales) {
  const LaneFloat inverses = LaneFloat(1.0f) / scales;
  return Lanes::Select(Lanes::Abs(inverses) < LaneFloat(INFINITY), inverses, LaneFloat(0.0f));
}

// Nearest integers, half away from zero, as roundf.
QUANTD_LANE IntVector RoundHalfAway(FloatVector v) {
  const auto below_half = hn::Set(FloatTag(), 0.49999997f);  // the largest float below one half
  return Lanes::TruncateVector(hn::Add(v, hn::CopySignToAbs(below_half, v)));
}

// An F16 number, or infinity, as all elements of a vector.
QUANTD_LANE FloatVector SetHalf(uint16_t half) {
#if HWY_TARGET <= HWY_AVX2  // has an instruction; Highway's way without one knows no infinity
  const auto stored = hn::BitCast(hn::Rebind<hwy::float16_t, FloatTag>(), hn::Set(HalfTag(), half));
  return hn::PromoteTo(FloatTag(), stored);
#else
  return hn::Set(FloatTag(), HalfToFloat(half));
#endif
}

// weight_of(vector of numbers) of 32 numbers, as weights.
template <class WeightOf>
QUANTD_LANE void DecodeBytes(const int8_t* numbers, WeightOf weight_of, float* weights) {
  constexpr int kPerVector = Lanes::kPerVector;
  for (int i = 0; i < 32; i += kPerVector) {
    const auto integers = hn::PromoteTo(IntTag(), hn::LoadU(hn::Rebind<int8_t, IntTag>(), numbers + i));
    hn::StoreU(weight_of(hn::ConvertTo(FloatTag(), integers)), FloatTag(), weights + i);
  }
}

// Weights are asked for this far ahead: the processor's own prefetching ends with each page.
inline constexpr int64_t kPrefetchBytes = 4096;

// Or two runs ahead, where that is farther: the extremes of the next run want all of it at once, so that it
// must be there.
constexpr int64_t PrefetchDistance(int64_t run_bytes) { return std::max(kPrefetchBytes, 2 * run_bytes); }

template <int kBytes>
QUANTD_LANE void PrefetchBehind(const void* x, int64_t distance) {
  for (int line = 0; line < kBytes; line += 64)
    hwy::Prefetch(static_cast<const uint8_t*>(x) + distance + line);
}

// Batches are taken in runs of 2 KiB of weights, if one is not longer: while parameters of the first batch
// are divided the extremes of the second are found, and memory is read in longer pieces.
constexpr int BatchesOfRun(size_t batch_bytes) { return std::max(1, static_cast<int>(2048 / batch_bytes)); }

template <template <class> class Kernel, class Source>
void EncodeRowsOf(const typename Source::Bits* x, int64_t blocks, uint8_t* out) {
  using RowKernel = Kernel<Source>;
  constexpr int kWeights = RowKernel::kWeights, kBytes = RowKernel::kBytes, kAtOnce = RowKernel::kAtOnce;
  constexpr int kBatch = Lanes::kCount, kBlockBytes = kWeights * static_cast<int>(sizeof(*x));
  constexpr int kBatches = BatchesOfRun(kBatch * kBlockBytes), kRun = kBatches * kBatch;
  constexpr int64_t kAhead = PrefetchDistance(kRun * kBlockBytes);
  const auto encode_run = [&](const typename Source::Bits* from, uint8_t* to) {
    RowKernel batches[kBatches];
    for (int i = 0; i < kBatches; ++i) batches[i].Prepare(from + i * kBatch * kWeights);
    for (int block = 0; block < kRun; block += kAtOnce) {
      const auto* weights = from + block * kWeights;
      PrefetchBehind<kAtOnce * kBlockBytes>(weights, kAhead);
      batches[block / kBatch].Store(block % kBatch, weights, to + block * kBytes);
    }
  };
  for (; blocks >= kRun; blocks -= kRun, x += kRun * kWeights, out += kRun * kBytes) encode_run(x, out);
  if (blocks == 0) return;
  typename Source::Bits rest[kRun * kWeights] = {};
  std::copy_n(x, blocks * kWeights, rest);
  uint8_t stored[kRun * kBytes];
  encode_run(rest, stored);
  std::copy_n(stored, blocks * kBytes, out);
}

template <template <class> class Kernel>
void EncodeRows(const WeightRows& weights, std::byte* out) {
  WithSource(weights, [&](auto source, const auto* x) {
    using Source = decltype(source);
    EncodeRowsOf<Kernel, Source>(x, weights.rows * weights.columns / Kernel<Source>::kWeights,
                                 reinterpret_cast<uint8_t*>(out));
  });
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
