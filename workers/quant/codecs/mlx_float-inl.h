// MLX's float modes: mxfp4, mxfp8 and nvfp4 (mx.quantize on the CPU is the reference). 32 weights of a row,
// or 16 for nvfp4, share a scale of 8 bits; weight ≈ scale * element. MLX computes in the model's type: the
// quotient of the group's largest magnitude and the element's largest value is rounded to it before it
// becomes the scale. Weights are expected to have that type.
//
// Scales are found for as many groups at once as there are lanes, a group in each; elements along the row.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

#include "workers/quant/codecs/mlx_levels-inl.h"
#include "workers/quant/lanes/even_odd-inl.h"
#include "workers/quant/lanes/half-inl.h"
#include "workers/quant/widen.h"

#if defined(QUANTD_MLX_FLOAT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_MLX_FLOAT_INL_H_
#undef QUANTD_MLX_FLOAT_INL_H_
#else
#define QUANTD_MLX_FLOAT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class L>
QUANTD_LANE typename L::Float RoundedTo(WeightType type, typename L::Float value) {
  if (type == WeightType::kF16) return RoundedToHalf<L>(value);
  return type == WeightType::kBf16 ? RoundedToBf16<L>(value) : value;
}

// E4M3: a sign, four bits of exponent, three of mantissa, no infinity. Nearest, ties to even; 448 is the
// largest.
template <class L>
QUANTD_LANE typename L::Int ToE4M3(typename L::Float value) {
  using Int = typename L::Int;
  using Float = typename L::Float;
  const Int bits = L::Bits(L::Abs(value));
  // Adding 2^14 moves the subnormal's last bit, 2^-9, to the float's last bit: the addition itself rounds.
  const Int subnormal = L::Bits(L::FromBits(bits) + Float(0x1p+14f)) - L::Bits(Float(0x1p+14f));
  const Int odd = L::ShiftDown(bits, 20) & Int(1);
  const Int normal = L::ShiftDown(bits - Int(120 << 23) + Int(0x7ffff) + odd, 20);
  const Int code = L::Select(bits < L::Bits(Float(0x1p-6f)), subnormal, normal);
  const Int saturated = L::Select(bits >= L::Bits(Float(448.0f)), Int(0x7e), code);
  return saturated | (L::ShiftDown(L::Bits(value), 24) & Int(0x80));
}

constexpr float FromE4M3(int code) {
  const uint32_t magnitude = static_cast<uint32_t>(code) & 127u;
  const float normal = std::bit_cast<float>((magnitude << 20) + (120u << 23));
  const float value = magnitude < 8 ? static_cast<float>(magnitude) * 0x1p-9f : normal;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | (static_cast<uint32_t>(code) & 128u) << 24);
}

// E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives. The nearest; ties go to the smaller magnitude, and
// what becomes zero loses its sign.
template <class L>
QUANTD_LANE typename L::Int ToE2M1(typename L::Float value) {
  using Int = typename L::Int;
  using Float = typename L::Float;
  const Float magnitude = L::Abs(value);
  // From 1 on a code is the exponent's last bits and one of the mantissa; below, steps of 0.5.
  const Int normal = (L::Bits(magnitude) + Int(0x1fffff - (252 << 22))) >> 22;
  const auto is_zero = magnitude <= Float(0.25f);
  const Int small = L::Select(magnitude > Float(0.75f), Int(2), L::Select(is_zero, Int(0), Int(1)));
  const Int code = L::Max(normal, small);
  const Int sign = L::ShiftDown(L::Select(is_zero, Int(0), L::Bits(value)), 28) & Int(8);
  return L::Min(code, Int(7)) | sign;
}

constexpr float FromE2M1(int code) {
  const int level = code & 7;
  const int doubled = level < 2 ? level : (2 + (level & 1)) << ((level >> 1) - 1);
  const float value = static_cast<float>(doubled) * 0.5f;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | (static_cast<uint32_t>(code) & 8u) << 28);
}

// MLX looks for the smallest of the differences to E2M1's values, in its table's order: the same as ToE2M1,
// until elements are so large that differences are equal in float.
template <class L>
QUANTD_LANE typename L::Int ToE2M1ByDifference(typename L::Float value, WeightType type) {
  using Int = typename L::Int;
  using Float = typename L::Float;
  const Float rounded = RoundedTo<L>(type, value);
  Int nearest = 0;
  Float smallest = L::Abs(rounded);
  for (int code = 1; code < 16; ++code) {
    const Float difference = L::Abs(rounded - Float(FromE2M1(code)));
    const auto is_smaller = difference < smallest;
    nearest = L::Select(is_smaller, Int(code), nearest);
    smallest = L::Select(is_smaller, difference, smallest);
  }
  return nearest;
}

// An element is weight / scale, or weight * inverse where the inverse is not 0.
template <class L>
struct GroupScale {
  typename L::Int code;
  typename L::Float scale, inverse;
};

// E8M0: a power of two, the smallest that is not below the ratio.
template <class L>
QUANTD_LANE GroupScale<L> PowerOfTwoScale(typename L::Float ratio) {
  using Int = typename L::Int;
  using Float = typename L::Float;
  const auto is_small = ratio < Float(0x1p-64f);  // subnormal numbers become normal ones
  const Int bits = L::Bits(L::Select(is_small, ratio * Float(0x1p+64f), ratio));
  const Int floor = L::ShiftDown(bits, 23) - L::Select(is_small, Int(127 + 64), Int(127));
  const Int exponent = floor + L::Select((bits & Int(0x7fffff)) > Int(0), Int(1), Int(0));
  // 126 is a sixth of the largest float's; more comes of a ratio that was rounded to infinity.
  const Int n = L::Select(ratio == Float(0.0f), Int(0), L::Min(exponent, Int(126)));
  const Int subnormal = L::ShiftUpBy(Int(1), (L::Max(n, Int(-149)) + Int(149)) & Int(31));
  const Int scale = L::Select(n < Int(-126), subnormal, (n + Int(127)) << 23);
  const Int inverse = L::Select(n < Int(-127), Int(0), (Int(127) - n) << 23);
  return {(n + Int(127)) & Int(255), L::FromBits(scale), L::FromBits(inverse)};
}

struct Mxfp4Mode {
  static constexpr int kGroup = 32, kBits = 4;
  static constexpr bool kPowerOfTwoScales = true;
  static constexpr float kLargest = 6.0f, kMostCertain = std::numeric_limits<float>::infinity();
  template <class L>
  static QUANTD_LANE GroupScale<L> ScaleOf(typename L::Float ratio) {
    return PowerOfTwoScale<L>(ratio);
  }
  template <class L>
  static QUANTD_LANE typename L::Int CodeOf(typename L::Float element) {
    return ToE2M1<L>(element);
  }
  static float ScaleFrom(int code) {
    return std::bit_cast<float>(code == 0 ? 0x00400000u : static_cast<uint32_t>(code) << 23);
  }
  static float ElementFrom(int code) { return FromE2M1(code); }
};

struct Mxfp8Mode : Mxfp4Mode {
  static constexpr int kBits = 8;
  static constexpr float kLargest = 448.0f;
  template <class L>
  static QUANTD_LANE typename L::Int CodeOf(typename L::Float element) {
    return ToE4M3<L>(element);
  }
  static float ElementFrom(int code) { return FromE4M3(code); }
};

struct Nvfp4Mode : Mxfp4Mode {
  static constexpr int kGroup = 16;
  static constexpr bool kPowerOfTwoScales = false;
  // The scale saturates at 448, and elements grow beyond 6: to where a float's last bit is 1 and more.
  static constexpr float kMostCertain = 448.0f * 0x1p+23f;
  template <class L>
  static QUANTD_LANE GroupScale<L> ScaleOf(typename L::Float ratio) {
    using Int = typename L::Int;
    using Float = typename L::Float;
    const Int code = ToE4M3<L>(ratio);
    const Float subnormal = L::ToFloat(code) * Float(0x1p-9f);
    const Float scale = L::Select(code < Int(8), subnormal, L::FromBits((code << 20) + Int(120 << 23)));
    // Where the scale is zero, MLX's quotients are no numbers, and their codes zero.
    const Float infinity(std::numeric_limits<float>::infinity());
    return {code, L::Select(code == Int(0), infinity, scale), Float(0.0f)};
  }
  static float ScaleFrom(int code) { return FromE4M3(code); }
};

// How a group's elements become codes.
template <class L, class Mode>
QUANTD_LANE typename L::Int CodeByDivision(typename L::Float weight, typename L::Float scale,
                                           typename L::Mask is_certain, WeightType model_type) {
  const auto element = weight / scale;
  const auto code = Mode::template CodeOf<L>(element);
  if (!L::Any(!is_certain)) return code;
  return L::Select(is_certain, code, ToE2M1ByDifference<L>(element, model_type));
}

#if HWY_TARGET == HWY_SCALAR

template <class Mode>
void EncodeFloat(const WeightRows& weights, WeightType model_type, std::span<std::byte* const> planes) {
  const int64_t groups = weights.rows * (weights.columns / Mode::kGroup);
  auto* packed = reinterpret_cast<uint8_t*>(planes[0]);
  for (int64_t g = 0; g < groups; ++g, packed += Mode::kGroup / 8 * Mode::kBits) {
    float x[Mode::kGroup] = {};
    Widen(weights, g * Mode::kGroup, Mode::kGroup, x);
    float largest = 0.0f;
    for (float weight : x) largest = std::max(largest, std::fabs(weight));
    const auto scale = Mode::template ScaleOf<Lanes>(RoundedTo<Lanes>(model_type, largest / Mode::kLargest));
    planes[1][g] = static_cast<std::byte>(scale.code);
    uint8_t codes[Mode::kGroup];
    for (int i = 0; i < Mode::kGroup; ++i) {
      codes[i] = static_cast<uint8_t>(
          CodeByDivision<Lanes, Mode>(x[i], scale.scale, largest < Mode::kMostCertain, model_type));
    }
    PackLevels<Mode::kBits>(codes, Mode::kGroup, packed);
  }
}

#else

template <class Mode, class Source>
class FloatEncoder {
 public:
  using Bits = typename Source::Bits;

  explicit FloatEncoder(WeightType model_type) : model_type_(model_type) {}

  // Groups that follow each other in memory.
  void Run(const Bits* x, int64_t groups, uint8_t* packed, std::byte* codes) {
    for (; groups >= kBatch; groups -= kBatch) {
      Encode(x, packed, codes);
      x += kBatch * kGroup;
      packed += kBatch * kPackedBytes;
      codes += kBatch;
    }
    if (groups == 0) return;
    Bits rest[kBatch * kGroup] = {};
    std::copy_n(x, groups * kGroup, rest);
    uint8_t rest_packed[kBatch * kPackedBytes];
    std::byte rest_codes[kBatch];
    Encode(rest, rest_packed, rest_codes);
    std::copy_n(rest_packed, groups * kPackedBytes, packed);
    std::copy_n(rest_codes, groups, codes);
  }

 private:
  using L = Lanes;
  static constexpr int kBatch = L::kCount;
  static constexpr int kGroup = Mode::kGroup;
  static constexpr int kPackedBytes = kGroup / 8 * Mode::kBits;
  static constexpr int kGroupsOfVector = std::max(1, kOrdered / kGroup);

  void Encode(const Bits* x, uint8_t* packed, std::byte* codes) {
    const LaneFloat largest = LargestMagnitudes<Source, kGroup>(x);
    const LaneFloat ratio = RoundedTo<L>(model_type_, largest / LaneFloat(Mode::kLargest));
    const GroupScale<L> scales = Mode::template ScaleOf<L>(ratio);
    alignas(64) uint32_t code[kBatch];
    L::Store(scales.code, code);
    for (int g = 0; g < kBatch; ++g) codes[g] = static_cast<std::byte>(code[g]);

    const auto is_certain = largest < LaneFloat(Mode::kMostCertain);
    if constexpr (std::is_same_v<Source, Bf16Source> && Mode::kBits == 4) {
      if (!L::Any(!is_certain | (scales.scale < LaneFloat(0x1p-120f)))) {
        SetMiddles(scales.scale);
        return Write(x, packed, [this](const Bits* at, int g) {
          if constexpr (Mode::kPowerOfTwoScales) {
            return CodesByExponent(at, g);
          } else {
            return CodesByMiddles(at, g);
          }
        });
      }
    } else if (!L::Any(scales.inverse == LaneFloat(0.0f))) {
      L::Store(scales.inverse, inverse_);
      return Write(x, packed, [this](const Bits* at, int g) {
        const LaneFloat inverse = OfGroups(inverse_ + g);
        return Codes(at, [=](LaneFloat weights) { return Mode::template CodeOf<L>(weights * inverse); });
      });
    }
    L::Store(scales.scale, scale_);
    L::Store(largest, largest_);
    Write(x, packed, [this](const Bits* at, int g) {
      const LaneFloat scale = OfGroups(scale_ + g);
      const auto certain = OfGroups(largest_ + g) < LaneFloat(Mode::kMostCertain);
      return Codes(at, [&](LaneFloat weights) {
        return CodeByDivision<L, Mode>(weights, scale, certain, model_type_);
      });
    });
  }

  // codes_of(weights, group) are the codes of a vector's weights.
  template <class CodesOf>
  static QUANTD_LANE void Write(const Bits* x, uint8_t* packed, CodesOf codes_of) {
    for (int first = 0; first < kBatch * kGroup; first += kChunk, packed += kChunk / 8 * Mode::kBits) {
      PrefetchBehind<kChunk * sizeof(*x)>(x + first, PrefetchDistance(kBatch * kGroup * sizeof(*x)));
      Ordered codes[4];
      for (int v = 0; v < 4; ++v)
        codes[v] = codes_of(x + first + v * kOrdered, (first + v * kOrdered) / kGroup);
      StoreLevels<Mode::kBits>(codes, packed);
    }
  }

  template <class CodeOf>
  static QUANTD_LANE Ordered Codes(const Bits* x, CodeOf code_of) {
    const EvenOdd weights = LoadEvenOdd<Source>(x);
    const LaneInt codes = code_of(LaneFloat(weights.even, weights.odd));
    return OrderedBits<0>({hn::BitCast(FloatTag(), codes.low), hn::BitCast(FloatTag(), codes.high)});
  }

  // The numbers of the groups of a vector, for even and odd weights alike.
  static QUANTD_LANE LaneFloat OfGroups(const float* numbers) {
    const FloatTag tag;
    if constexpr (kGroupsOfVector == 1) {
      return LaneFloat(*numbers);
    } else {
      static_assert(kGroupsOfVector == 2);
      const hn::Half<FloatTag> half;
      const auto both = hn::Combine(tag, hn::Set(half, numbers[1]), hn::Set(half, numbers[0]));
      return {both, both};
    }
  }

  // The middles between E2M1's magnitudes, as multiples of a group's scale, have at most as many bits as
  // BF16: magnitudes are compared with them as they are stored, and the quotient needs no division. Scales
  // are such that no middle is a subnormal number.
  static constexpr int kMiddles = Mode::kPowerOfTwoScales ? 3 : 7;  // that are compared with

  QUANTD_LANE void SetMiddles(LaneFloat scale) {
    constexpr float kMiddle[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f};
    for (int i = 0; i < kMiddles; ++i)
      L::Store(L::ShiftDown(L::Bits(scale * LaneFloat(kMiddle[i])), 16), middles_[i]);
  }

  using Signed = hn::RebindToSigned<OrderedTag>;

  static QUANTD_LANE hn::Vec<Signed> Magnitude(Ordered stored) {
    return hn::BitCast(Signed(), hn::And(stored, hn::Set(OrderedTag(), 0x7fff)));
  }
  // -1 where the magnitude is beyond a middle.
  QUANTD_LANE hn::Vec<Signed> IsBeyond(hn::Vec<Signed> magnitude, int middle, int group) const {
    return hn::VecFromMask(Signed(), magnitude > Middle(middle, group));
  }
  static QUANTD_LANE Ordered WithSign(hn::Vec<Signed> code, Ordered stored, hn::Vec<Signed> is_nonzero) {
    const OrderedTag tag;
    const auto sign = hn::And(hn::ShiftRight<12>(stored), hn::Set(tag, 8));
    return hn::Or(hn::BitCast(tag, code), hn::And(sign, hn::BitCast(tag, is_nonzero)));
  }

  QUANTD_LANE Ordered CodesByMiddles(const Bits* x, int group) const {
    const auto stored = hn::LoadU(OrderedTag(), x);
    const auto magnitude = Magnitude(stored), is_nonzero = IsBeyond(magnitude, 0, group);
    auto minus_code = is_nonzero;
    for (int i = 1; i < kMiddles; ++i) minus_code = hn::Add(minus_code, IsBeyond(magnitude, i, group));
    return WithSign(hn::Neg(minus_code), stored, is_nonzero);
  }

  // The same by ToE2M1's formula, the magnitude's exponent counted from that of a scale that is a power of
  // two.
  QUANTD_LANE Ordered CodesByExponent(const Bits* x, int group) const {
    const Signed tag;
    const auto stored = hn::LoadU(OrderedTag(), x);
    const auto magnitude = Magnitude(stored), is_nonzero = IsBeyond(magnitude, 0, group);
    // 7 bits of mantissa, of which one stays; ties go down. Middle 2 is 1.25 scales, code 2's end.
    const auto above = hn::Sub(magnitude, Middle(2, group));
    const auto normal = hn::ShiftRight<6>(hn::Add(above, hn::Set(tag, (3 << 6) - 1)));
    const auto minus_small = hn::Add(is_nonzero, IsBeyond(magnitude, 1, group));
    const auto code = hn::Min(hn::Max(normal, hn::Neg(minus_small)), hn::Set(tag, 7));
    return WithSign(code, stored, is_nonzero);
  }

  QUANTD_LANE hn::Vec<Signed> Middle(int i, int group) const {
    const Signed tag;
    const auto middle = [&](int g) { return static_cast<int16_t>(middles_[i][group + g]); };
    if constexpr (kGroupsOfVector == 1) {
      return hn::Set(tag, middle(0));
    } else {
      const hn::Half<decltype(tag)> half;
      return hn::Combine(tag, hn::Set(half, middle(1)), hn::Set(half, middle(0)));
    }
  }

  const WeightType model_type_;
  alignas(64) float scale_[kBatch], inverse_[kBatch], largest_[kBatch];
  alignas(64) uint32_t middles_[kMiddles][kBatch];
};

template <class Mode>
void EncodeFloat(const WeightRows& weights, WeightType model_type, std::span<std::byte* const> planes) {
  WithSource(weights, [&](auto source, const auto* x) {
    FloatEncoder<Mode, decltype(source)> encoder(model_type);
    encoder.Run(x, weights.rows * (weights.columns / Mode::kGroup), reinterpret_cast<uint8_t*>(planes[0]),
                planes[1]);
  });
}

#endif

template <class Mode>
void DecodeFloat(std::span<const std::byte* const> planes, int64_t groups, float* weights) {
  for (int64_t g = 0; g < groups; ++g, weights += Mode::kGroup) {
    const float scale = Mode::ScaleFrom(static_cast<int>(planes[1][g]));
    uint8_t codes[Mode::kGroup];
    UnpackLevels<Mode::kBits>(planes[0] + g * Mode::kGroup / 8 * Mode::kBits, Mode::kGroup, codes);
    for (int i = 0; i < Mode::kGroup; ++i) weights[i] = Mode::ElementFrom(codes[i]) * scale;
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
