// How the three algorithms of ONNX Runtime round. Every formula follows the peer's order of operations and
// types: C++ floats for `default`, numpy's doubles for `rtn` and the last step of `k_quant`.
#include <cmath>

#include "workers/quant/codecs/integer_groups-inl.h"
#include "workers/quant/codecs/onnx_k_quant-inl.h"
#include "workers/quant/codecs/onnx_nbits.h"
#include "workers/quant/half.h"

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
    if (symmetric_) {
      FitSymmetric(weights, group, count, ranges, fits);
    } else {
      FitRange(count, ranges, fits);
    }
    if (in_half_) {
      for (int g = 0; g < count; ++g) fits.scale[g] = HalfToFloat(FloatToHalf(fits.scale[g]));
    }
    for (int g = 0; g < count; ++g) {
      fits.divisor[g] = fits.scale[g] == 0.0f ? 0.0f : 1.0f / fits.scale[g];
    }
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

  // The weight of largest magnitude becomes the lowest level.
  void FitSymmetric(const float* weights, int group, int count, const Ranges& ranges,
                    GroupFits<float>& fits) const {
    int zeros = 0;
    for (int g = 0; g < count; ++g) {
      const float low = ranges.low[g], high = ranges.high[g];
      const float peak = std::fabs(high) > std::fabs(low) ? high : low;
      fits.scale[g] = peak * -inverse_middle_;
      fits.zero_point[g] = bounds_.middle;
      zeros += peak == 0.0f ? 1 : 0;
    }
    if (zeros > 0) GiveZerosTheirSign(weights, group, count, ranges, fits);
  }

  // The scale of a block of zeros has the opposite sign of the first.
  void GiveZerosTheirSign(const float* weights, int group, int count, const Ranges& ranges,
                          GroupFits<float>& fits) const {
    for (int g = 0; g < count; ++g) {
      if (ranges.low[g] == 0.0f && ranges.high[g] == 0.0f) fits.scale[g] = -weights[g * group];
    }
  }

  void FitRange(int count, const Ranges& ranges, GroupFits<float>& fits) const {
    for (int g = 0; g < count; ++g) {
      const float low = ranges.low[g] < 0.0f ? ranges.low[g] : 0.0f;
      const float high = ranges.high[g] > 0.0f ? ranges.high[g] : 0.0f;
      const float scale = (high - low) / bounds_.top;
      const float zero_point = scale == 0.0f ? low : 0.0f - low / scale;
      fits.scale[g] = scale;
      fits.zero_point[g] =
          static_cast<float>(static_cast<int32_t>(Clamp(zero_point, 0.0f, bounds_.top) + 0.49999997f));
    }
  }

  LevelBounds<float> bounds_;
  float inverse_middle_;  // a power of two: as good as dividing
  bool symmetric_;
  bool in_half_;
};

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
