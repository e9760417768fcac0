// How the three algorithms of ONNX Runtime round. Every formula follows the peer's order of operations and
// types: C++ floats for `default`, numpy's doubles for `rtn` and the last step of `k_quant`.
#include <cmath>

#include "workers/quant/codecs/integer_group_rows-inl.h"
#include "workers/quant/codecs/integer_groups-inl.h"
#include "workers/quant/codecs/onnx_k_quant-inl.h"
#include "workers/quant/codecs/onnx_nbits.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_ONNX_SCHEMES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_ONNX_SCHEMES_INL_H_
#undef QUANTD_ONNX_SCHEMES_INL_H_
#else
#define QUANTD_ONNX_SCHEMES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// The type's levels are 0 … top; middle is the zero point of symmetric types.
template <typename Real>
struct LevelBounds {
  Real top, middle;
  explicit LevelBounds(int bits)
      : top(static_cast<Real>((1 << bits) - 1)), middle(static_cast<Real>(1 << (bits - 1))) {}
};

// Scales as binary16, and what they are after they were stored so.
QUANTD_LANE int32_t ScaleBits(float scale) { return ToHalf<OneLane>(scale); }
QUANTD_LANE float StoredAsHalf(float scale) { return RoundedToHalf<OneLane>(scale); }
#if HWY_TARGET != HWY_SCALAR
QUANTD_LANE LaneInt ScaleBits(LaneFloat scales) { return HalvesOf(scales); }
QUANTD_LANE LaneFloat StoredAsHalf(LaneFloat scales) {
#if HWY_TARGET <= HWY_AVX2  // has instructions
  const hn::Rebind<hwy::float16_t, FloatTag> tag;
  return {hn::PromoteTo(FloatTag(), hn::DemoteTo(tag, scales.low)),
          hn::PromoteTo(FloatTag(), hn::DemoteTo(tag, scales.high))};
#else
  return RoundedToHalf<Lanes>(scales);
#endif
}
#endif

// Levels are found with the inverse of the scale as it is stored, and ties go away from zero.
class OnnxDefault {
 public:
  using Real = float;
  static constexpr int kBatchWeights = 2048;
  static constexpr bool kPadsWithZeros = false;

  explicit OnnxDefault(const OnnxNbits& form)
      : bounds_(form.bits),
        inverse_middle_(1.0f / bounds_.middle),
        symmetric_(form.symmetric),
        in_half_(form.scale == OnnxScale::kF16) {}

  void Fit(const float* weights, int group, int count, GroupFits<float>& fits) const {
    Ranges ranges;
    RangesOf(weights, group, count, ranges);
    const auto fit = [&](Lanes::Float low, Lanes::Float high, int begin) {
      return FitLane<Lanes>(low, high, [&] {
        alignas(64) float firsts[Lanes::kCount] = {};
        const int some = std::min(Lanes::kCount, count - begin);
        for (int g = 0; g < some; ++g) firsts[g] = weights[(begin + g) * group];
        return Lanes::Load(firsts);
      });
    };
    FitLanes(ranges, count, fit, fits);
  }

  // Of one group in each lane; firsts() are their first weights.
  template <class L, class Firsts>
  QUANTD_LANE GroupFit<L> FitLane(typename L::Float low, typename L::Float high, Firsts firsts) const {
    using Float = typename L::Float;
    GroupFit<L> fit = symmetric_ ? FitPeak<L>(low, high, firsts) : FitRange<L>(low, high);
    if (in_half_) fit.scale = StoredAsHalf(fit.scale);
    fit.divisor = L::Select(fit.scale == Float(0.0f), Float(0.0f), Float(1.0f) / fit.scale);
    return fit;
  }

  // `divisor` is the inverse. Where it is infinite, zeros have no number: level 0.
  QUANTD_LANE uint8_t Level(float weight, float divisor, float zero_point) const {
    return AwayFromZero(weight * divisor + zero_point);
  }

 private:
  // Of what is clamped to 0 … top: the constant is the largest float below one half.
  QUANTD_LANE uint8_t AwayFromZero(float value) const {
    return static_cast<uint8_t>(static_cast<int32_t>(Clamp(value, 0.0f, bounds_.top) + 0.49999997f));
  }

  // The weight of largest magnitude becomes the lowest level. The scale of a block of zeros has the opposite
  // sign of the first.
  template <class L, class Firsts>
  QUANTD_LANE GroupFit<L> FitPeak(typename L::Float low, typename L::Float high, Firsts firsts) const {
    using Float = typename L::Float;
    const Float peak = L::Select(L::Abs(high) > L::Abs(low), high, low);
    GroupFit<L> fit;
    fit.scale = peak * Float(-inverse_middle_);
    fit.zero_point = Float(bounds_.middle);
    const auto zeros = peak == Float(0.0f);
    if (L::Any(zeros)) fit.scale = L::Select(zeros, -firsts(), fit.scale);
    return fit;
  }

  template <class L>
  QUANTD_LANE GroupFit<L> FitRange(typename L::Float low, typename L::Float high) const {
    using Float = typename L::Float;
    const Float zero(0.0f);
    low = L::Select(low < zero, low, zero);
    high = L::Select(high > zero, high, zero);
    GroupFit<L> fit;
    fit.scale = (high - low) / Float(bounds_.top);
    const Float zero_point = L::Select(fit.scale == zero, low, zero - low / fit.scale);
    const Float clamped = L::Min(L::Max(zero_point, zero), Float(bounds_.top));
    fit.zero_point = L::ToFloat(L::Truncate(clamped + Float(0.49999997f)));
    return fit;
  }

  LevelBounds<float> bounds_;
  float inverse_middle_;  // a power of two: as good as dividing
  bool symmetric_;
  bool in_half_;
};

#if HWY_TARGET != HWY_SCALAR
// OnnxDefault::Level() along the row. Of what has no number (NaN), the second operand of x86's minimum is
// kept and truncated to the smallest integer, whose low bits are 0.
struct OnnxDefaultLevels {
  float top;

  QUANTD_LANE Ordered Of(EvenOdd weights, FloatVector divisor, FloatVector zero_point) const {
    const auto level_of = [&](FloatVector weight) {
      const auto value = hn::Add(hn::Mul(weight, divisor), zero_point);
      const auto below = hn::Min(hn::Set(FloatTag(), top), value);
      const auto level = Lanes::TruncateVector(hn::Add(below, hn::Set(FloatTag(), 0.49999997f)));
      return hn::BitCast(FloatTag(), level);
    };
    const hn::RebindToSigned<OrderedTag> tag;
    const auto levels = hn::BitCast(tag, OrderedBits<0>({level_of(weights.even), level_of(weights.odd)}));
    return hn::BitCast(OrderedTag(), hn::Max(levels, hn::Zero(tag)));
  }
};
#endif

// What `rtn` and `k_quant` have in common: levels in double, with the scale before it is rounded.
class OnnxInDouble {
 public:
  using Real = double;
  static constexpr bool kPadsWithZeros = true;

  explicit OnnxInDouble(const OnnxNbits& form) : bounds_(form.bits) {}

  QUANTD_LANE uint8_t Level(float weight, double divisor, double zero_point) const {
    return ByteOfRoundEven(Clamp(static_cast<double>(weight) / divisor + zero_point, 0.0, bounds_.top));
  }

 protected:
  LevelBounds<double> bounds_;
};

// The range is found in the type of the weights.
class OnnxRtn : public OnnxInDouble {
 public:
  static constexpr int kBatchWeights = 2048;

  explicit OnnxRtn(const OnnxNbits& form)
      : OnnxInDouble(form), symmetric_(form.symmetric), in_half_(form.scale == OnnxScale::kF16) {}

  void Fit(const float* weights, int group, int count, GroupFits<double>& fits) const {
    Ranges ranges;
    RangesOf(weights, group, count, ranges);
    for (int g = 0; g < count; ++g) {
      const float low = ranges.low[g], high = ranges.high[g];
      const float width = InType(symmetric_ ? 2.0f * std::fmax(std::fabs(low), std::fabs(high)) : high - low);
      const double scale = width == 0.0f ? 1.0 : static_cast<double>(width) / bounds_.top;
      fits.scale[g] = fits.divisor[g] = scale;
      fits.zero_point[g] = symmetric_ ? bounds_.middle : RoundEven(Clamp(-low / scale, 0.0, bounds_.top));
    }
  }

 private:
  float InType(float value) const { return in_half_ ? HalfToFloat(FloatToHalf(value)) : value; }

  bool symmetric_;
  bool in_half_;
};

class OnnxKQuant : public OnnxInDouble {
 public:
  static constexpr int kBatchWeights = 8192;  // groups of 256 fill the lanes of every target

  explicit OnnxKQuant(const OnnxNbits& form) : OnnxInDouble(form) {}

  void Fit(const float* weights, int group, int count, GroupFits<double>& fits) const {
    alignas(64) float scale[kMaxGroups], zero_point[kMaxGroups];
    FitKQuantGroups(weights, group, count, static_cast<float>(bounds_.top), scale, zero_point);
    for (int g = 0; g < count; ++g) {
      fits.scale[g] = fits.divisor[g] = scale[g];
      fits.zero_point[g] = zero_point[g];
    }
  }
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
