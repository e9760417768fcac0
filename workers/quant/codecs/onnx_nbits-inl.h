// Rows of weights to MatMulNBits' planes and back (onnx_nbits.h), a batch of blocks at a time.
#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "workers/quant/codec.h"
#include "workers/quant/codecs/onnx_schemes-inl.h"
#include "workers/quant/widen.h"

#if defined(QUANTD_ONNX_NBITS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_ONNX_NBITS_INL_H_
#undef QUANTD_ONNX_NBITS_INL_H_
#else
#define QUANTD_ONNX_NBITS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Nearest, ties to even, rounded once: to a float whose last bit remembers what was cut off, then to half.
inline uint16_t NarrowToHalf(double value) {
  const float nearest = static_cast<float>(value);
  const double back = nearest;
  const bool is_exact = back == value || value != value;
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (!is_exact && std::fabs(back) > std::fabs(value)) --bits;  // towards zero
  return FloatToHalf(std::bit_cast<float>(is_exact ? bits : bits | 1));
}

// `scales` has room for whole vectors of lanes, as GroupFits.
inline void NarrowToHalves(const float* scales, int count, uint16_t* to) {
  alignas(64) uint32_t halves[Lanes::kCount];
  for (int g = 0; g < count; g += Lanes::kCount) {
    Lanes::Store(ScaleBits(Lanes::Load(scales + g)), halves);
    std::copy_n(halves, std::min(Lanes::kCount, count - g), to + g);
  }
}
inline void NarrowToHalves(const double* scales, int count, uint16_t* to) {
  for (int g = 0; g < count; ++g) to[g] = NarrowToHalf(scales[g]);
}

// `count` scales from block `first` on.
template <typename Real>
void StoreScales(const Real* scales, int count, OnnxScale type, int64_t first, std::byte* plane) {
  float* as_float = reinterpret_cast<float*>(plane) + first;
  uint16_t* as_half = reinterpret_cast<uint16_t*>(plane) + first;
  switch (type) {
    case OnnxScale::kF32:
      for (int g = 0; g < count; ++g) as_float[g] = static_cast<float>(scales[g]);
      return;
    case OnnxScale::kF16:
      return NarrowToHalves(scales, count, as_half);
    case OnnxScale::kBf16:
      for (int g = 0; g < count; ++g) as_half[g] = FloatToBf16(static_cast<float>(scales[g]));
      return;
  }
}

// `first`: number of the batch's first block, counted through all rows.
template <typename Real>
void StoreZeroPoints(const Real* zero_points, int count, const OnnxNbits& form, int64_t blocks_per_row,
                     int64_t first, std::byte* plane) {
  uint8_t* bytes = reinterpret_cast<uint8_t*>(plane);
  if (form.bits == 8) {
    for (int g = 0; g < count; ++g) bytes[first + g] = static_cast<uint8_t>(zero_points[g]);
    return;
  }
  if (blocks_per_row % 2 == 0 && first % 2 == 0) {  // then `count` is even too
    for (int g = 0; g < count; g += 2) {
      bytes[(first + g) / 2] =
          static_cast<uint8_t>(static_cast<int>(zero_points[g]) | static_cast<int>(zero_points[g + 1]) << 4);
    }
    return;
  }
  const int64_t row_bytes = (blocks_per_row + 1) / 2;
  int64_t row = first / blocks_per_row, block = first % blocks_per_row;
  for (int g = 0; g < count; ++g) {
    const int level = static_cast<int>(zero_points[g]);
    uint8_t& byte = bytes[row * row_bytes + block / 2];
    byte = static_cast<uint8_t>(block % 2 == 0 ? level | 8 << 4 : (byte & 15) | level << 4);
    if (++block == blocks_per_row) {
      block = 0;
      ++row;
    }
  }
}

template <class Scheme>
class OnnxEncoder {
 public:
  OnnxEncoder(const OnnxNbits& form, const WeightRows& rows, std::span<std::byte* const> planes)
      : form_(form),
        rows_(rows),
        planes_(planes),
        scheme_(form),
        blocks_per_row_(form.BlocksOf(rows.columns)) {}

  void Run() {
    if constexpr (std::is_same_v<Scheme, OnnxDefault>) {
      if (HasGroupRows(form_.block) && !IsPadded()) return EncodeAlongRows();
    }
    const int64_t blocks = rows_.rows * blocks_per_row_;
    const int step = Scheme::kBatchWeights / form_.block;
    for (int64_t first = 0; first < blocks; first += step) {
      EncodeBatch(first, static_cast<int>(std::min<int64_t>(step, blocks - first)));
    }
  }

 private:
  bool IsPadded() const { return rows_.columns % form_.block != 0; }

  void EncodeBatch(int64_t first, int count) {
    if (IsPadded()) {
      for (int g = 0; g < count; ++g) LoadPadded(first + g, weights_ + g * form_.block);
    } else {
      LoadBatch(rows_, first * form_.block, int64_t{count} * form_.block, weights_);
    }
    scheme_.Fit(weights_, form_.block, count, fits_);
    LevelsOf(scheme_, weights_, form_.block, count, fits_, levels_);
    if (IsPadded() && !Scheme::kPadsWithZeros) {
      for (int g = 0; g < count; ++g) ClearPadding(first + g, levels_ + g * form_.block);
    }
    StoreLevels(first, count);
    StoreFits(first, count, fits_.scale, fits_.zero_point);
  }

  template <typename Real>
  void StoreFits(int64_t first, int count, const Real* scales, const Real* zero_points) const {
    StoreScales(scales, count, form_.scale, first, planes_[1]);
    if (!form_.symmetric) {
      StoreZeroPoints(zero_points, count, form_, blocks_per_row_, first, planes_[2]);
    }
  }

#if HWY_TARGET == HWY_SCALAR
  void EncodeAlongRows() {}
#else
  void EncodeAlongRows() {
    WithSource(rows_, [&](auto source, const auto* x) {
      form_.bits == 4 ? EncodeGroups<4, decltype(source)>(x) : EncodeGroups<8, decltype(source)>(x);
    });
  }

  // The most frequent forms of what belongs to a whole batch, in vectors. False: another form, nothing is
  // done.
  template <int kBits>
  bool StoreWholeBatch(int64_t first, const GroupFit<Lanes>& found) const {
    if (form_.scale == OnnxScale::kBf16) return false;
    if (!form_.symmetric && (kBits == 8 || blocks_per_row_ % 2 != 0)) return false;
    if (form_.scale == OnnxScale::kF16) {
      uint16_t* scales = reinterpret_cast<uint16_t*>(planes_[1]) + first;
      hn::StoreU(NarrowToHalf(found.scale.low), HalfTag(), scales);
      hn::StoreU(NarrowToHalf(found.scale.high), HalfTag(), scales + Lanes::kPerVector);
    } else {
      float* scales = reinterpret_cast<float*>(planes_[1]) + first;
      hn::StoreU(found.scale.low, FloatTag(), scales);
      hn::StoreU(found.scale.high, FloatTag(), scales + Lanes::kPerVector);
    }
    if (form_.symmetric) return true;
    uint8_t* pairs = reinterpret_cast<uint8_t*>(planes_[2]) + first / 2;
    StorePairs(found.zero_point.low, pairs);
    StorePairs(found.zero_point.high, pairs + Lanes::kPerVector / 2);
    return true;
  }

  // Levels of two neighbours in one byte.
  static void StorePairs(FloatVector levels, uint8_t* to) {
    const hn::Repartition<uint64_t, FloatTag> tag;
    const auto pairs = hn::BitCast(tag, Lanes::TruncateVector(levels));
    const hn::Rebind<uint8_t, decltype(tag)> byte_tag;
    hn::StoreU(hn::TruncateTo(byte_tag, hn::Or(pairs, hn::ShiftRight<28>(pairs))), byte_tag, to);
  }

  template <int kBits, class Source>
  void EncodeGroups(const typename Source::Bits* x) {
    const auto fit = [&](Lanes::Float low, Lanes::Float high, auto firsts) {
      return scheme_.template FitLane<Lanes>(low, high, firsts);
    };
    const auto store = [&](int64_t first, int count, const GroupFit<Lanes>& found) {
      if (count == Lanes::kCount && StoreWholeBatch<kBits>(first, found)) return;
      alignas(64) float scales[Lanes::kCount], zero_points[Lanes::kCount];
      Lanes::Store(found.scale, scales);
      Lanes::Store(found.zero_point, zero_points);
      StoreFits(first, count, scales, zero_points);
    };
    EncodeGroupRows<Source, kBits>(x, rows_.rows * blocks_per_row_, form_.block,
                                   OnnxDefaultLevels{(1 << kBits) - 1}, fit, store, planes_[0]);
  }
#endif

  int64_t ColumnOf(int64_t block) const { return block % blocks_per_row_ * form_.block; }
  int SizeOf(int64_t block) const {
    return static_cast<int>(std::min<int64_t>(form_.block, rows_.columns - ColumnOf(block)));
  }

  // A block that the row cuts short: filled up with zeros where the algorithm sees them, otherwise with its
  // first weight, which changes no range.
  void LoadPadded(int64_t block, float* to) const {
    const int size = SizeOf(block);
    Widen(rows_, block / blocks_per_row_ * rows_.columns + ColumnOf(block), size, to);
    std::fill(to + size, to + form_.block, Scheme::kPadsWithZeros ? 0.0f : to[0]);
  }

  void ClearPadding(int64_t block, uint8_t* levels) const {
    std::fill(levels + SizeOf(block), levels + form_.block, uint8_t{0});
  }

  void StoreLevels(int64_t first, int count) {
    const int64_t weights = int64_t{count} * form_.block;
    std::byte* to = planes_[0] + first * form_.block * form_.bits / 8;
    if (form_.bits == 4) {
      PackNibbles(levels_, weights, to);
    } else {
      std::memcpy(to, levels_, static_cast<size_t>(weights));
    }
  }

  const OnnxNbits& form_;
  const WeightRows& rows_;
  const std::span<std::byte* const> planes_;
  const Scheme scheme_;
  const int64_t blocks_per_row_;
  alignas(64) float weights_[Scheme::kBatchWeights];
  alignas(64) uint8_t levels_[Scheme::kBatchWeights];
  GroupFits<typename Scheme::Real> fits_;
};

inline float ScaleOf(const std::byte* plane, int64_t block, OnnxScale type) {
  if (type == OnnxScale::kF32) return reinterpret_cast<const float*>(plane)[block];
  const uint16_t bits = reinterpret_cast<const uint16_t*>(plane)[block];
  return type == OnnxScale::kF16 ? HalfToFloat(bits) : Bf16ToFloat(bits);
}

class OnnxDecoder {
 public:
  OnnxDecoder(const OnnxNbits& form, std::span<const std::byte* const> planes, int64_t columns)
      : form_(form), planes_(planes), columns_(columns) {}

  void Run(int64_t rows, float* weights) const {
    const int64_t blocks = form_.BlocksOf(columns_);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t column = block * form_.block;
        Decode(row * blocks + block, ZeroPointOf(row, block),
               std::min<int64_t>(form_.block, columns_ - column), weights + row * columns_ + column);
      }
    }
  }

 private:
  int ZeroPointOf(int64_t row, int64_t block) const {
    if (form_.symmetric) return 1 << (form_.bits - 1);
    const uint8_t* zero_points =
        reinterpret_cast<const uint8_t*>(planes_[2]) + row * form_.ZeroPointBytes(columns_);
    return form_.bits == 8 ? zero_points[block] : zero_points[block / 2] >> (block % 2 * 4) & 15;
  }

  void Decode(int64_t block, int zero_point, int64_t count, float* weights) const {
    const uint8_t* levels =
        reinterpret_cast<const uint8_t*>(planes_[0]) + block * form_.block * form_.bits / 8;
    uint8_t unpacked[256];
    if (form_.bits == 4) {
      for (int i = 0; i < form_.block / 2; ++i) {
        unpacked[2 * i] = levels[i] & 15;
        unpacked[2 * i + 1] = levels[i] >> 4;
      }
      levels = unpacked;
    }
    const float scale = ScaleOf(planes_[1], block, form_.scale);
    for (int64_t i = 0; i < count; ++i) weights[i] = static_cast<float>(levels[i] - zero_point) * scale;
  }

  const OnnxNbits& form_;
  const std::span<const std::byte* const> planes_;
  const int64_t columns_;
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
