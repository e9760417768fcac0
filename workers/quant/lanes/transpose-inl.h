// Between blocks in memory (each block's elements together) and tiles (each element of all lanes together):
// 4 x 4 transposes inside the 128-bit parts of vectors, which every target has.
#include <algorithm>

#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_TRANSPOSE_INL_H_
#undef QUANTD_LANES_TRANSPOSE_INL_H_
#else
#define QUANTD_LANES_TRANSPOSE_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// 128-bit part b of the result is from[4 * b][0 … 4).
template <class D>
QUANTD_LANE hn::Vec<D> LoadParts(D d, const float* const* from, int at) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    return hn::LoadU(d, from[0] + at);
  } else {
    const hn::Half<D> half;
    constexpr int kUpper = static_cast<int>(hn::MaxLanes(hn::Half<D>()));
    return hn::Combine(d, LoadParts(half, from + kUpper, at), LoadParts(half, from, at));
  }
}

// The inverse: part b goes to to + 4 * b * stride.
template <class D>
QUANTD_LANE void StoreParts(hn::Vec<D> v, D d, float* to, int stride) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    hn::StoreU(v, d, to);
  } else {
    const hn::Half<D> half;
    constexpr int kUpper = static_cast<int>(hn::MaxLanes(hn::Half<D>()));
    StoreParts(hn::LowerHalf(half, v), half, to, stride);
    StoreParts(hn::UpperHalf(half, v), half, to + kUpper * stride, stride);
  }
}

// Transposes each 4 x 4 part of four vectors.
QUANTD_LANE void TransposeParts(hn::Vec<FloatTag>& a, hn::Vec<FloatTag>& b, hn::Vec<FloatTag>& c,
                                hn::Vec<FloatTag>& d) {
  const FloatTag tag;
  const hn::Repartition<double, FloatTag> pair_tag;
  const auto ab_low = hn::BitCast(pair_tag, hn::InterleaveLower(tag, a, b));
  const auto ab_high = hn::BitCast(pair_tag, hn::InterleaveUpper(tag, a, b));
  const auto cd_low = hn::BitCast(pair_tag, hn::InterleaveLower(tag, c, d));
  const auto cd_high = hn::BitCast(pair_tag, hn::InterleaveUpper(tag, c, d));
  a = hn::BitCast(tag, hn::InterleaveLower(pair_tag, ab_low, cd_low));
  b = hn::BitCast(tag, hn::InterleaveUpper(pair_tag, ab_low, cd_low));
  c = hn::BitCast(tag, hn::InterleaveLower(pair_tag, ab_high, cd_high));
  d = hn::BitCast(tag, hn::InterleaveUpper(pair_tag, ab_high, cd_high));
}

// blocks[lane] points at `count` floats, a multiple of 4 → tile[i * kCount + lane].
inline void BlocksToTile(const float* const* blocks, int count, float* tile) {
  const FloatTag tag;
  constexpr int kPerVector = VectorLanes::kPerVector;
  for (int i = 0; i < count; i += 4) {
    for (int first = 0; first < VectorLanes::kCount; first += kPerVector) {
      auto a = LoadParts(tag, blocks + first, i), b = LoadParts(tag, blocks + first + 1, i);
      auto c = LoadParts(tag, blocks + first + 2, i), d = LoadParts(tag, blocks + first + 3, i);
      TransposeParts(a, b, c, d);
      float* to = tile + i * VectorLanes::kCount + first;
      hn::Store(a, tag, to);
      hn::Store(b, tag, to + VectorLanes::kCount);
      hn::Store(c, tag, to + 2 * VectorLanes::kCount);
      hn::Store(d, tag, to + 3 * VectorLanes::kCount);
    }
  }
}

// tile[i * kCount + lane] → blocks[lane * count + i]; count is a multiple of 4. Only bits move.
inline void TileToBlocks(const uint32_t* tile, int count, uint32_t* blocks) {
  const FloatTag tag;
  constexpr int kPerVector = VectorLanes::kPerVector;
  for (int i = 0; i < count; i += 4) {
    for (int first = 0; first < VectorLanes::kCount; first += kPerVector) {
      const float* from = reinterpret_cast<const float*>(tile) + i * VectorLanes::kCount + first;
      auto a = hn::Load(tag, from), b = hn::Load(tag, from + VectorLanes::kCount);
      auto c = hn::Load(tag, from + 2 * VectorLanes::kCount),
           d = hn::Load(tag, from + 3 * VectorLanes::kCount);
      TransposeParts(a, b, c, d);
      float* to = reinterpret_cast<float*>(blocks) + first * count + i;
      StoreParts(a, tag, to, count);
      StoreParts(b, tag, to + count, count);
      StoreParts(c, tag, to + 2 * count, count);
      StoreParts(d, tag, to + 3 * count, count);
    }
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#else
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// With one lane a block is its own tile.
inline void BlocksToTile(const float* const* blocks, int count, float* tile) {
  std::copy_n(blocks[0], count, tile);
}
inline void TileToBlocks(const uint32_t* tile, int count, uint32_t* blocks) {
  std::copy_n(tile, count, blocks);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
