// Rows of weights to OpenVINO's compressed constants (openvino_integers.h) and back. The arithmetic is NNCF's
// (weight_lowering.py), all in float: true divisions by the scale before it is rounded, ties to even, zero
// always inside the range of asymmetric groups, and a signed scale for symmetric ones.
#include <algorithm>
#include <cstring>
#include <span>

#include "workers/quant/codec.h"
#include "workers/quant/codecs/integer_group_rows-inl.h"
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
    const auto fit = [&](Lanes::Float low, Lanes::Float high, int) { return FitLane<Lanes>(low, high); };
    FitLanes(ranges, count, fit, fits);
  }

  // Of one group in each lane.
  template <class L>
  QUANTD_LANE GroupFit<L> FitLane(typename L::Float low, typename L::Float high) const {
    using Float = typename L::Float;
    const Float zero(0.0f), smallest(kSmallestScale);
    Float scale = symmetric_ ? SymmetricScale<L>(low, high) : RangeScale<L>(low, high);
    scale = L::Select(L::Abs(scale) < smallest, smallest, scale);
    const Float to_zero = L::Round(L::Min(L::Max(-low / scale, zero), Float(top_)));
    return {scale, scale, symmetric_ ? zero : to_zero};
  }

  QUANTD_LANE uint8_t Level(float weight, float divisor, float zero_point) const {
    return ByteOfRoundEven(Clamp(weight / divisor + zero_point, bottom_, top_));
  }

 private:
  static constexpr float kSmallestScale = 0x1p-23f;

  // Negative where the weight of largest magnitude is positive: that becomes the lowest level.
  template <class L>
  QUANTD_LANE typename L::Float SymmetricScale(typename L::Float low, typename L::Float high) const {
    const auto magnitude = L::Abs(low);
    return L::Select(magnitude >= high, magnitude, -high) / typename L::Float(levels_ / 2.0f);
  }
  template <class L>
  QUANTD_LANE typename L::Float RangeScale(typename L::Float low, typename L::Float high) const {
    const typename L::Float zero(0.0f);
    return (L::Select(high > zero, high, zero) - L::Select(low < zero, low, zero)) / typename L::Float(top_);
  }

  bool symmetric_;
  float levels_, bottom_, top_;
};

#if HWY_TARGET != HWY_SCALAR
// NncfScheme::Level() along the row. No level is so large that adding 1.5 * 2^23 would not round it: the
// integer is in the sum's low bits.
template <int kBits>
struct NncfLevels {
  int16_t bottom, top;

  explicit NncfLevels(bool symmetric)
      : bottom(static_cast<int16_t>(symmetric ? -(1 << (kBits - 1)) : 0)),
        top(static_cast<int16_t>(bottom + (1 << kBits) - 1)) {}

  QUANTD_LANE Ordered Of(EvenOdd weights, FloatVector divisor, FloatVector zero_point) const {
    const auto level_of = [&](FloatVector weight) {
      return hn::Add(hn::Add(hn::Div(weight, divisor), zero_point), hn::Set(FloatTag(), 0x1.8p+23f));
    };
    const hn::RebindToSigned<OrderedTag> tag;
    const auto nearest = hn::BitCast(tag, OrderedBits<0>({level_of(weights.even), level_of(weights.odd)}));
    const auto level = hn::Min(hn::Max(nearest, hn::Set(tag, bottom)), hn::Set(tag, top));
    return hn::BitCast(OrderedTag(), hn::And(level, hn::Set(tag, (1 << kBits) - 1)));
  }
};
#endif

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
    if (HasGroupRows(form_.group)) return EncodeAlongRows();
    const int64_t groups = rows_.rows * (rows_.columns / form_.group);
    const int step = kBatchWeights / form_.group;
    for (int64_t first = 0; first < groups; first += step) {
      EncodeGroups(first, static_cast<int>(std::min<int64_t>(step, groups - first)));
    }
  }

 private:
  static constexpr int kBatchWeights = 2048;

#if HWY_TARGET == HWY_SCALAR
  void EncodeAlongRows() {}
  int64_t RangeAlongRow(int64_t, float&, float&) { return 0; }
  int64_t LevelsAlongRow(int64_t) { return 0; }
#else
  // Groups are of 4 bits.
  void EncodeAlongRows() {
    const int group = static_cast<int>(form_.group);
    const auto fit = [&](Lanes::Float low, Lanes::Float high, auto) {
      return scheme_.FitLane<Lanes>(low, high);
    };
    const auto store = [&](int64_t first, int count, const GroupFit<Lanes>& found) {
      Lanes::Store(found.scale, fits_.scale);
      Lanes::Store(found.zero_point, fits_.zero_point);
      StoreFits(first, count);
    };
    WithSource(rows_, [&](auto source, const auto* x) {
      EncodeGroupRows<decltype(source), 4>(x, rows_.rows * (rows_.columns / group), group,
                                           NncfLevels<4>(form_.symmetric), fit, store, planes_[0]);
    });
  }

  // Of the first weights of the row that begins with weight `begin`; returns of how many.
  int64_t RangeAlongRow(int64_t begin, float& low, float& high) {
    int64_t count = 0;
    WithSource(rows_, [&](auto source, const auto* x) {
      count = WidenRange<decltype(source)>(x + begin, rows_.columns, low, high);
    });
    return count;
  }

  int64_t LevelsAlongRow(int64_t begin) {
    constexpr int kOneGroup = 62;
    GroupNumbers numbers;
    numbers.divisor.Set(Lanes::Float(fits_.divisor[0]));
    numbers.zero_point.Set(Lanes::Float(fits_.zero_point[0]));
    const int64_t count = rows_.columns / kLevelsOfChunk * kLevelsOfChunk;
    uint8_t* to = reinterpret_cast<uint8_t*>(planes_[0] + begin * form_.bits / 8);
    WithSource(rows_, [&](auto source, const auto* x) {
      using Source = decltype(source);
      const int64_t next_row = rows_.columns * static_cast<int64_t>(sizeof(*x));
      if (form_.bits == 4) {
        WriteLevels<Source, 4>(x + begin, count, kOneGroup, numbers, NncfLevels<4>(form_.symmetric), next_row,
                               to);
      } else {
        WriteLevels<Source, 8>(x + begin, count, kOneGroup, numbers, NncfLevels<8>(form_.symmetric), next_row,
                               to);
      }
    });
    return count;
  }
#endif

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
    float low, high;
    Widen(rows_, begin, 1, &low);
    high = low;
    for (int64_t first = begin + RangeAlongRow(begin, low, high); first < end; first += kBatchWeights) {
      const int count = LoadPart(first, end);
      float part_low, part_high;
      RangeOf(weights_, (count + kSmallestGroup - 1) / kSmallestGroup * kSmallestGroup, part_low, part_high);
      low = std::min(low, part_low);
      high = std::max(high, part_high);
    }
    ranges_.low[0] = low;
    ranges_.high[0] = high;
    scheme_.Fit(ranges_, 1, fits_);
    for (int64_t first = begin + LevelsAlongRow(begin); first < end; first += kBatchWeights) {
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

// Measures rows as 8-bit levels with a zero point, part by part, so that rows of any length need no memory.
class Int8ErrorMeter {
 public:
  explicit Int8ErrorMeter(const WeightRows& rows) : rows_(rows), scheme_({8, kWholeRow, false}) {}

  double Worst() {
    double worst = 0.0;
    for (int64_t row = 0; row < rows_.rows && rows_.columns > 0; ++row) {
      const double error = RowError(row);
      // A comparison with NaN is false, and it must stay.
      if (!(error <= worst)) worst = error;
    }
    return worst;
  }

 private:
  static constexpr int kPart = 2048;
  static constexpr int kSums = kSmallestGroup;  // side by side, so that the compiler makes vectors of them

  double RowError(int64_t row) {
    const int64_t begin = row * rows_.columns, end = begin + rows_.columns;
    for (int64_t first = begin; first < end; first += kPart) {
      float low, high;
      RangeOf(weights_, Padded(LoadPart(first, end)), low, high);
      ranges_.low[0] = first == begin ? low : std::min(ranges_.low[0], low);
      ranges_.high[0] = first == begin ? high : std::max(ranges_.high[0], high);
    }
    scheme_.Fit(ranges_, 1, fits_);
    double squares = 0.0;
    for (int64_t first = begin; first < end; first += kPart) squares += SquaresOf(LoadPart(first, end));
    return squares / static_cast<double>(rows_.columns);
  }

  static int Padded(int count) { return (count + kSums - 1) / kSums * kSums; }

  // Fills a last part up with its first weight, which changes no range.
  int LoadPart(int64_t first, int64_t end) {
    const int count = static_cast<int>(std::min<int64_t>(kPart, end - first));
    Widen(rows_, first, count, weights_);
    std::fill(weights_ + count, weights_ + Padded(count), weights_[0]);
    return count;
  }

  double SquaresOf(int count) {
    const float scale = fits_.scale[0], zero_point = fits_.zero_point[0];
    for (int i = 0; i < count; ++i) {
      const float level = RoundEven(Clamp(weights_[i] / scale + zero_point, 0.0f, 255.0f));
      const float difference = (level - zero_point) * scale - weights_[i];
      squares_[i] = difference * difference;
    }
    std::fill(squares_ + count, squares_ + Padded(count), 0.0f);
    float sums[kSums] = {};
    for (int i = 0; i < count; i += kSums) {
      for (int s = 0; s < kSums; ++s) sums[s] += squares_[i + s];
    }
    double sum = 0.0;
    for (float some : sums) sum += some;
    return sum;
  }

  const WeightRows& rows_;
  const NncfScheme scheme_;
  alignas(64) float weights_[kPart];
  alignas(64) float squares_[kPart];
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
