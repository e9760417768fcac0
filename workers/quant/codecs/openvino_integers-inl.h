// Rows of weights to OpenVINO's compressed constants (openvino_integers.h) and back. The arithmetic is NNCF's
// (weight_lowering.py), all in float: true divisions by the scale before it is rounded, ties to even, zero
// always inside the range of asymmetric groups, and a signed scale for symmetric ones.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "workers/quant/codec.h"
#include "workers/quant/codecs/integer_groups-inl.h"
#include "workers/quant/codecs/openvino_integers.h"
#include "workers/quant/half.h"
#include "workers/quant/widen.h"

#if defined(QUANTD_OPENVINO_INTEGERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_OPENVINO_INTEGERS_INL_H_
#undef QUANTD_OPENVINO_INTEGERS_INL_H_
#else
#define QUANTD_OPENVINO_INTEGERS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Symmetric levels are signed and have no zero point.
class NncfScheme {
 public:
  using Real = float;

  explicit NncfScheme(const OpenVinoIntegers& form)
      : symmetric_(form.symmetric),
        levels_(static_cast<float>(1 << form.bits)),
        bottom_(form.symmetric ? -levels_ / 2.0f : 0.0f),
        top_(bottom_ + levels_ - 1.0f) {}

  void Fit(const Ranges& ranges, int count, GroupFits<float>& fits) const {
    for (int g = 0; g < count; ++g) {
      const float scale = symmetric_ ? SymmetricScale(ranges.low[g], ranges.high[g])
                                     : RangeScale(ranges.low[g], ranges.high[g]);
      fits.scale[g] = fits.divisor[g] = std::fabs(scale) < kSmallestScale ? kSmallestScale : scale;
    }
    for (int g = 0; g < count; ++g) {
      const float level = RoundEven(Clamp(-ranges.low[g] / fits.scale[g], 0.0f, top_));
      fits.zero_point[g] = symmetric_ ? 0.0f : level;
    }
  }

  QUANTD_LANE uint8_t Level(float weight, float divisor, float zero_point) const {
    return ByteOfRoundEven(Clamp(weight / divisor + zero_point, bottom_, top_));
  }

 private:
  static constexpr float kSmallestScale = 0x1p-23f;

  // Negative where the weight of largest magnitude is positive: that becomes the lowest level.
  float SymmetricScale(float low, float high) const {
    return (std::fabs(low) >= high ? std::fabs(low) : -high) / (levels_ / 2.0f);
  }
  float RangeScale(float low, float high) const {
    return ((high > 0.0f ? high : 0.0f) - (low < 0.0f ? low : 0.0f)) / top_;
  }

  bool symmetric_;
  float levels_, bottom_, top_;
};

class OpenVinoEncoder {
 public:
  OpenVinoEncoder(const OpenVinoIntegers& form, const WeightRows& rows, std::span<std::byte* const> planes)
      : form_(form), rows_(rows), planes_(planes), scheme_(form) {}

  void Run() {
    if (rows_.columns == 0) return;
    if (form_.group == kWholeRow) {
      for (int64_t row = 0; row < rows_.rows; ++row) EncodeRow(row);
      return;
    }
    const int64_t groups = rows_.rows * (rows_.columns / form_.group);
    const int step = kBatchWeights / form_.group;
    for (int64_t first = 0; first < groups; first += step) {
      EncodeGroups(first, static_cast<int>(std::min<int64_t>(step, groups - first)));
    }
  }

 private:
  static constexpr int kBatchWeights = 2048;

  void EncodeGroups(int64_t first, int count) {
    const int64_t begin = first * form_.group, weights = int64_t{count} * form_.group;
    LoadBatch(rows_, begin, weights, weights_);
    RangesOf(weights_, form_.group, count, ranges_);
    scheme_.Fit(ranges_, count, fits_);
    LevelsOf(scheme_, weights_, form_.group, count, fits_, levels_);
    StoreLevels(begin, weights);
    StoreFits(first, count);
  }

  // Twice over the row, part by part, so that rows of any length need no memory of theirs.
  void EncodeRow(int64_t row) {
    const int64_t begin = row * rows_.columns, end = begin + rows_.columns;
    for (int64_t first = begin; first < end; first += kBatchWeights) {
      const int count = LoadPart(first, end);
      float low, high;
      RangeOf(weights_, (count + kSmallestGroup - 1) / kSmallestGroup * kSmallestGroup, low, high);
      ranges_.low[0] = first == begin ? low : std::min(ranges_.low[0], low);
      ranges_.high[0] = first == begin ? high : std::max(ranges_.high[0], high);
    }
    scheme_.Fit(ranges_, 1, fits_);
    for (int64_t first = begin; first < end; first += kBatchWeights) {
      const int count = LoadPart(first, end);
      LevelsOf(scheme_, weights_, count, 1, fits_, levels_);
      StoreLevels(first, count);
    }
    StoreFits(row, 1);
  }

  // Fills a last part up with its first weight, which changes no range.
  int LoadPart(int64_t first, int64_t end) {
    const int count = static_cast<int>(std::min<int64_t>(kBatchWeights, end - first));
    Widen(rows_, first, count, weights_);
    std::fill(weights_ + count, weights_ + std::min(count + kSmallestGroup, kBatchWeights), weights_[0]);
    return count;
  }

  void StoreLevels(int64_t first, int64_t count) {
    std::byte* to = planes_[0] + first * form_.bits / 8;
    if (form_.bits == 4) {
      PackNibbles(levels_, count, to);
    } else {
      std::memcpy(to, levels_, static_cast<size_t>(count));
    }
  }

  void StoreFits(int64_t first, int count) {
    uint16_t* scales = reinterpret_cast<uint16_t*>(planes_[1]) + first;
    for (int g = 0; g < count; ++g) scales[g] = FloatToHalf(fits_.scale[g]);
    if (form_.symmetric) return;
    uint8_t* zero_points = reinterpret_cast<uint8_t*>(planes_[2]) + first;
    for (int g = 0; g < count; ++g) zero_points[g] = static_cast<uint8_t>(fits_.zero_point[g]);
  }

  const OpenVinoIntegers& form_;
  const WeightRows& rows_;
  const std::span<std::byte* const> planes_;
  const NncfScheme scheme_;
  alignas(64) float weights_[kBatchWeights];
  alignas(64) uint8_t levels_[kBatchWeights];
  Ranges ranges_;
  GroupFits<float> fits_;
};

inline void DecodeOpenVinoGroup(const OpenVinoIntegers& form, const std::byte* plane, int64_t first,
                                int64_t count, float scale, int zero_point, float* weights) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(plane) + first * form.bits / 8;
  if (form.bits == 8) {
    const int sign = form.symmetric ? 128 : 0;  // flipped and subtracted, it extends the sign
    for (int64_t i = 0; i < count; ++i) {
      weights[i] = static_cast<float>((bytes[i] ^ sign) - sign - zero_point) * scale;
    }
    return;
  }
  const int sign = form.symmetric ? 8 : 0;
  for (int64_t i = 0; i < count / 2; ++i) {
    weights[2 * i] = static_cast<float>(((bytes[i] & 15) ^ sign) - sign - zero_point) * scale;
    weights[2 * i + 1] = static_cast<float>((bytes[i] >> 4 ^ sign) - sign - zero_point) * scale;
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
