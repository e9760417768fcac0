// Levels of blocks of 32 weights as bytes, along the row: of as many blocks as four vectors of floats have.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "workers/quant/lanes/rows-inl.h"

#if defined(QUANTD_LANES_BLOCK_BYTES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_BLOCK_BYTES_INL_H_
#undef QUANTD_LANES_BLOCK_BYTES_INL_H_
#else
#define QUANTD_LANES_BLOCK_BYTES_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// First 16 bytes of each block, those of weights 0 … 15, then 16 bytes of each for weights 16 … 31: so that
// two vectors have levels of the first halves and of the second ones, in the same order. Vectors of 512 bits
// have two blocks, of 256 bits one; of 128 bits two have a half each.
template <class Tag>
class BytesOfBlocks {
 public:
  static constexpr int kBlocks = std::max(1, static_cast<int>(hn::MaxLanes(Tag())) / 32);

  // levels_of(block) returns a function that makes levels, as integers up to 255, of a vector of that block's
  // weights. Negative ones become 0.
  template <class Source, class LevelsOf>
  static QUANTD_LANE BytesOfBlocks Of(const typename Source::Bits* x, LevelsOf levels_of) {
    const auto words = [&](int pair) {
      return WordsOfPair<Source>(x, pair, levels_of(pair * 2 * Lanes::kPerVector / 32));
    };
    BytesOfBlocks blocks;
    for (int v = 0; v < kVectors; ++v) blocks.vectors_[v] = Joined(words(2 * v), words(2 * v + 1));
    return blocks;
  }

  // Levels above `top` become that.
  QUANTD_LANE BytesOfBlocks AtMost(uint8_t top) const {
    return Changed([=](auto bytes) { return hn::Min(bytes, hn::Set(Tag(), top)); });
  }

  QUANTD_LANE BytesOfBlocks LowestFourBits() const {
    return Changed([](auto bytes) { return hn::And(bytes, hn::Set(Tag(), 15)); });
  }

  // Two levels a byte: level i below, level 16 + i above. None is above 15. The blocks are `stride` apart.
  QUANTD_LANE void StoreNibbles(uint8_t* out, int stride) const {
    const auto first = FirstHalves(), second = SecondHalves();
    const hn::DFromV<decltype(first)> tag;
    const hn::Repartition<uint16_t, decltype(tag)> wide;
    const auto both = hn::Or(first, hn::BitCast(tag, hn::ShiftLeft<4>(hn::BitCast(wide, second))));
    if constexpr (kBlocks == 1) {
      hn::StoreU(both, tag, out);
    } else {
      hn::StoreU(hn::LowerHalf(ByteTag(), both), ByteTag(), out);
      hn::StoreU(hn::UpperHalf(ByteTag(), both), ByteTag(), out + stride);
    }
  }

  // Levels' fifth bits, bit i of four bytes that of level i. No level is above 127.
  QUANTD_LANE void StoreFifthBits(uint8_t* out, int stride) const {
    const hn::RebindToSigned<Tag> number;
    uint64_t bits = 0;
    for (int v = 0; v < kVectors; ++v) {
      const auto has_fifth = hn::Gt(hn::BitCast(number, vectors_[v]), hn::Set(number, 15));
      bits |= MaskBits(number, has_fifth) << (v * kPerVector);
    }
    if constexpr (kBlocks == 2) {  // the middle quarters change places
      const uint64_t change = (bits ^ bits >> 16) & 0xffff0000u;
      bits ^= change ^ change << 16;
    }
    for (int block = 0; block < kBlocks; ++block) {
      const uint32_t of_block = static_cast<uint32_t>(bits >> (32 * block));
      std::memcpy(out + block * stride, &of_block, sizeof(of_block));
    }
  }

 private:
  static constexpr int kPerVector = static_cast<int>(hn::MaxLanes(Tag()));
  static constexpr int kVectors = 32 * kBlocks / kPerVector;

  // Instructions that pack work within 128 bits; what they part is brought together again. (Highway 1.0 has
  // no name for packing two vectors to bytes.)
  static QUANTD_LANE hn::Vec<Tag> Joined(WordVector a, WordVector b) {
#if HWY_TARGET <= HWY_AVX3
    return {_mm512_permutex_epi64(_mm512_packus_epi16(a.raw, b.raw), 0xd8)};
#elif HWY_TARGET <= HWY_AVX2
    return {_mm256_permute4x64_epi64(_mm256_packus_epi16(a.raw, b.raw), 0xd8)};
#else
    return {_mm_packus_epi16(a.raw, b.raw)};
#endif
  }

  template <class Change>
  QUANTD_LANE BytesOfBlocks Changed(Change change) const {
    BytesOfBlocks changed;
    for (int v = 0; v < kVectors; ++v) changed.vectors_[v] = change(vectors_[v]);
    return changed;
  }

  QUANTD_LANE auto FirstHalves() const {
    if constexpr (kVectors == 2) {
      return vectors_[0];
    } else {
      return hn::LowerHalf(hn::Half<Tag>(), vectors_[0]);
    }
  }
  QUANTD_LANE auto SecondHalves() const {
    if constexpr (kVectors == 2) {
      return vectors_[1];
    } else {
      return hn::UpperHalf(hn::Half<Tag>(), vectors_[0]);
    }
  }

  hn::Vec<Tag> vectors_[kVectors];
};
using BlockBytes = BytesOfBlocks<hn::Repartition<uint8_t, FloatTag>>;

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
