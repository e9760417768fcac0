// Extremes of the blocks of a batch, found on the bits of the weights as they are stored: one lane for each
// block (see rows-inl.h).
#include <algorithm>
#include <cstdint>

#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_BLOCK_EXTREMES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_BLOCK_EXTREMES_INL_H_
#undef QUANTD_LANES_BLOCK_EXTREMES_INL_H_
#else
#define QUANTD_LANES_BLOCK_EXTREMES_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Two extremes that are looked for together. What moves lanes moves those of both.
template <class V>
struct BothExtremes {
  V positive, negative;
};

template <class V>
QUANTD_LANE BothExtremes<V> BothOf(V positive, V negative) {
  return {positive, negative};
}

template <class V>
QUANTD_LANE V LowLanesOf(V a, V b) {
  return hn::InterleaveLower(hn::DFromV<V>(), a, b);
}
template <class V>
QUANTD_LANE V HighLanesOf(V a, V b) {
  return hn::InterleaveUpper(hn::DFromV<V>(), a, b);
}
template <class V>
QUANTD_LANE BothExtremes<V> LowLanesOf(BothExtremes<V> a, BothExtremes<V> b) {
  return {LowLanesOf(a.positive, b.positive), LowLanesOf(a.negative, b.negative)};
}
template <class V>
QUANTD_LANE BothExtremes<V> HighLanesOf(BothExtremes<V> a, BothExtremes<V> b) {
  return {HighLanesOf(a.positive, b.positive), HighLanesOf(a.negative, b.negative)};
}

// An extreme, or two, of each block. key(vector of bits) is what is compared; better(a, b) of two such
// vectors, or of what it returned for some, the extremes.
template <int kWeights, class Bits, class Key, class Better>
class BlockExtremes {
 public:
  QUANTD_LANE BlockExtremes(const Bits* x, Key key, Better better) : x_(x), key_(key), better_(better) {}

  // Stores vectors no shorter than those that are loaded again: what is loaded from several stores has to
  // wait until all are in the cache.
  template <class... Extremes>
  QUANTD_LANE void Find(Extremes*... extremes) const {
    constexpr int kAtOnce = std::max(kGroup, Lanes::kPerVector);
    for (int first = 0; first < Lanes::kCount; first += kAtOnce)
      StoreTo(OfBlocks<kAtOnce>(first), extremes + first...);
  }

 private:
  // No more than half a block: what is in two vectors need not be interleaved to be compared.
  using Tag = hn::CappedTag<Bits, kWeights / 2>;
  static constexpr int kPerVector = static_cast<int>(hn::MaxLanes(Tag()));
  static constexpr int kGroup = 16 / sizeof(Bits);  // blocks whose extremes fill a 128-bit part

  template <class V>
  static QUANTD_LANE void StoreTo(V v, Bits* extremes) {
    hn::Store(v, hn::DFromV<V>(), extremes);
  }
  template <class V>
  static QUANTD_LANE void StoreTo(BothExtremes<V> both, Bits* positive, Bits* negative) {
    StoreTo(both.positive, positive);
    StoreTo(both.negative, negative);
  }

  // A lane for each of blocks first … first + kBlocks - 1.
  template <int kBlocks>
  QUANTD_LANE auto OfBlocks(int first) const {
    if constexpr (kBlocks == kGroup) {
      return OfParts(OfGroup<1>(first));
    } else {
      return Joined(OfBlocks<kBlocks / 2>(first), OfBlocks<kBlocks / 2>(first + kBlocks / 2));
    }
  }

  template <class V>
  static QUANTD_LANE auto Joined(V low, V high) {
    return hn::Combine(hn::Twice<hn::DFromV<V>>(), high, low);
  }
  template <class V>
  static QUANTD_LANE auto Joined(BothExtremes<V> low, BothExtremes<V> high) {
    return BothOf(Joined(low.positive, high.positive), Joined(low.negative, high.negative));
  }

  // A tree over blocks first, first + kStep, … of the group. Interleaving two vectors halves how many lanes
  // each block has, until every lane of a 128-bit part has another block, in their order.
  template <int kStep>
  QUANTD_LANE auto OfGroup(int first) const {
    if constexpr (kStep == kGroup) {
      return OfBlock(x_ + first * kWeights);
    } else {
      const auto a = OfGroup<2 * kStep>(first), b = OfGroup<2 * kStep>(first + kStep);
      return better_(LowLanesOf(a, b), HighLanesOf(a, b));
    }
  }

  QUANTD_LANE auto OfBlock(const Bits* x) const {
    const auto part = [&](int i) { return key_(hn::LoadU(Tag(), x + i)); };
    auto extreme = better_(part(0), part(kPerVector));
    for (int i = 2 * kPerVector; i < kWeights; i += kPerVector) extreme = better_(extreme, part(i));
    return extreme;
  }

  template <class V>
  QUANTD_LANE auto OfParts(V v) const {
    const hn::DFromV<V> tag;
    if constexpr (hn::MaxLanes(tag) == kGroup) {
      return v;
    } else {
      const hn::Half<decltype(tag)> half;
      return OfParts(better_(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
    }
  }
  template <class V>
  QUANTD_LANE auto OfParts(BothExtremes<V> both) const {
    const hn::DFromV<V> tag;
    if constexpr (hn::MaxLanes(tag) == kGroup) {
      return both;
    } else {
      const hn::Half<decltype(tag)> half;
      return OfParts(better_(BothOf(hn::LowerHalf(half, both.positive), hn::LowerHalf(half, both.negative)),
                             BothOf(hn::UpperHalf(half, both.positive), hn::UpperHalf(half, both.negative))));
    }
  }

  const Bits* x_;
  Key key_;
  Better better_;
};

template <int kWeights, class Bits, class Key, class Better, class... Extremes>
QUANTD_LANE void FindExtremes(const Bits* x, Key key, Better better, Extremes*... extremes) {
  BlockExtremes<kWeights, Bits, Key, Better>(x, key, better).Find(extremes...);
}

struct BitsAsStored {
  template <class V>
  QUANTD_LANE V operator()(V bits) const {
    return bits;
  }
};

// The larger ones as signed and as unsigned numbers.
struct LargerOfBothKinds {
  template <class V>
  QUANTD_LANE BothExtremes<V> operator()(BothExtremes<V> a, BothExtremes<V> b) const {
    const hn::DFromV<V> tag;
    const hn::RebindToSigned<decltype(tag)> number;
    const auto positive = hn::Max(hn::BitCast(number, a.positive), hn::BitCast(number, b.positive));
    return {hn::BitCast(tag, positive), hn::Max(a.negative, b.negative)};
  }
  template <class V>
  QUANTD_LANE BothExtremes<V> operator()(BothExtremes<V> a, V b) const {
    return (*this)(a, BothOf(b, b));
  }
  template <class V>
  QUANTD_LANE BothExtremes<V> operator()(V a, V b) const {
    return (*this)(BothOf(a, a), b);
  }
};

// Of each block: the largest of the bits as signed numbers, which is the largest positive weight, and the
// largest as unsigned numbers, the negative weight of largest magnitude. Where all weights of a block have
// one sign, both are the weight of largest magnitude.
template <int kWeights, class Bits>
QUANTD_LANE void FindSignedExtremes(const Bits* x, Bits* positive, Bits* negative) {
  FindExtremes<kWeights>(x, BitsAsStored(), LargerOfBothKinds(), positive, negative);
}

// The smallest bits as unsigned numbers: the smallest magnitude where all weights of a block have one sign.
// That is rare; inside its caller, compilers would keep a batch's weights on the stack for it.
template <int kWeights, class Bits>
HWY_NOINLINE void FindSmallestBits(const Bits* x, Bits* smallest) {
  FindExtremes<kWeights>(
      x, BitsAsStored(), [](auto a, auto b) { return hn::Min(a, b); }, smallest);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
