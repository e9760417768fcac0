// TQ1_0 and TQ2_0 along the row: what vector targets run. (ternary-inl.h has them as lane code, for the
// scalar target and for CUDA.)
#include <cstdint>
#include <cstring>

#include "workers/quant/codecs/ternary-inl.h"
#include "workers/quant/lanes/rows-inl.h"

#if defined(QUANTD_TERNARY_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_TERNARY_ROWS_INL_H_
#undef QUANTD_TERNARY_ROWS_INL_H_
#else
#define QUANTD_TERNARY_ROWS_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Scales of a batch of super-blocks, and the levels 0, 1, 2 of 32 of their weights. A weight counts as 0
// where the scale is 0 or so small that its inverse is infinite.
template <class Source>
class TernaryRows {
 public:
  using Bits = typename Source::Bits;
  static constexpr int kWeights = kSuperBlock, kAtOnce = 1;

  QUANTD_LANE void Prepare(const Bits* x) {
    const LaneFloat scales = LargestMagnitudes<Source, kSuperBlock>(x);
    Lanes::Store(ToHalf<Lanes>(scales), halves_);
    inverses_.Set(FiniteInverses(scales));
  }

  QUANTD_LANE void StoreScale(int block, uint8_t* out) const { std::memcpy(out, halves_ + block, 2); }

  QUANTD_LANE ByteBlock Levels(int block, const Bits* x) const {
    const auto inverse = inverses_[block];
    const auto sign_of = [=](FloatVector weights) { return RoundHalfAway(hn::Mul(weights, inverse)); };
    const ByteBlock signs = BytesOf32<int8_t, Source>(x, sign_of);
    const auto one = hn::Set(ByteTag(), 1);
    return {hn::Add(signs.first, one), hn::Add(signs.second, one)};
  }

 private:
  HWY_ALIGN uint32_t halves_[Lanes::kCount];
  BlockFloats inverses_;
};

template <class Source>
class Tq2_0Rows : public TernaryRows<Source> {
 public:
  using typename TernaryRows<Source>::Bits;
  static constexpr int kBytes = sizeof(BlockTq2_0);

  QUANTD_LANE void Store(int block, const Bits* x, uint8_t* out) const {
    for (int half = 0; half < 2; ++half) {
      ByteBlock packed = this->Levels(block, x + 128 * half + 96);
      for (int run = 2; run >= 0; --run) {
        const ByteBlock levels = this->Levels(block, x + 128 * half + 32 * run);
        packed = {FourTimesPlus(packed.first, levels.first), FourTimesPlus(packed.second, levels.second)};
      }
      packed.Store(out + 32 * half);
    }
    this->StoreScale(block, out + 64);
  }

 private:
  static QUANTD_LANE ByteVector FourTimesPlus(ByteVector packed, ByteVector levels) {
    const auto twice = hn::Add(packed, packed);
    return hn::Add(hn::Add(twice, twice), levels);
  }
};

template <class Source>
class Tq1_0Rows : public TernaryRows<Source> {
 public:
  using typename TernaryRows<Source>::Bits;
  static constexpr int kBytes = sizeof(BlockTq1_0);

  QUANTD_LANE void Store(int block, const Bits* x, uint8_t* out) const {
    ByteBlock numbers = this->Levels(block, x);
    for (int digit = 1; digit < 5; ++digit) {
      const ByteBlock levels = this->Levels(block, x + 32 * digit);
      numbers = {ThricePlus(numbers.first, levels.first), ThricePlus(numbers.second, levels.second)};
    }
    ByteBlock{ToFraction(numbers.first), ToFraction(numbers.second)}.Store(out);

    const ByteBlock a = this->Levels(block, x + 160), b = this->Levels(block, x + 192);
    const ByteBlock c = this->Levels(block, x + 224);
    const auto sixteen =
        ThricePlus(ThricePlus(ThricePlus(ThricePlus(a.first, a.second), b.first), b.second), c.first);
    hn::StoreU(ToFraction(sixteen), ByteTag(), out + 32);
    StoreRest(c.second, out + 48);
    this->StoreScale(block, out + 52);
  }

 private:
  static QUANTD_LANE ByteVector ThricePlus(ByteVector numbers, ByteVector levels) {
    return hn::Add(hn::Add(numbers, numbers), hn::Add(numbers, levels));
  }

  // The last four bytes have four digits each, the last digit is 0.
  static QUANTD_LANE void StoreRest(ByteVector levels, uint8_t* out) {
    const hn::Full128<uint32_t> quads;
    HWY_ALIGN uint32_t digits[4];
    hn::Store(hn::BitCast(quads, levels), quads, digits);
    // Bytes never carry: numbers are below 81.
    const uint32_t numbers = 3 * (27 * digits[0] + 9 * digits[1] + 3 * digits[2] + digits[3]);
    const auto fractions = ToFraction(hn::BitCast(ByteTag(), hn::Set(quads, numbers)));
    const uint32_t stored = hn::GetLane(hn::BitCast(quads, fractions));
    std::memcpy(out, &stored, 4);
  }

  // ceil(number * 256 / 243) = number + ceil(13 * number / 243), by multiplication.
  static QUANTD_LANE ByteVector ToFraction(ByteVector numbers) {
    const hn::Full128<uint16_t> words;
    const auto fraction_of = [&](auto wide) {
      const auto dividend = hn::Add(hn::Mul(wide, hn::Set(words, 13)), hn::Set(words, 242));
      return hn::ShiftRight<4>(hn::MulHigh(dividend, hn::Set(words, 4316)));
    };
    const auto even = fraction_of(hn::And(hn::BitCast(words, numbers), hn::Set(words, 255)));
    const auto odd = fraction_of(hn::ShiftRight<8>(hn::BitCast(words, numbers)));
    return hn::Add(numbers, hn::BitCast(ByteTag(), hn::Or(even, hn::ShiftLeft<8>(odd))));
  }
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#else  // the scalar target has the lane code
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class Source>
class Tq1_0Rows;
template <class Source>
class Tq2_0Rows;

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
