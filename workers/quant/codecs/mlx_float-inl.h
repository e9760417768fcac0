// MLX's float modes: mxfp4, mxfp8 and nvfp4 (mx.quantize on the CPU is the reference). 32 weights of a row,
// or 16 for nvfp4, share a scale of 8 bits; weight ≈ scale * element. MLX computes in the model's type: the
// quotient of the group's largest magnitude and the element's largest value is rounded to it before it
// becomes the scale. Weights are expected to have that type.
//
// Scales are found for as many groups at once as there are lanes, a group in each; elements along the row.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

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

// How elements become codes: element = weight * inverse, or weight / scale where the inverse is 0.
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

template <class Mode, WeightType kType>
class FloatEncoder {
 public:
  explicit FloatEncoder(WeightType model_type) : model_type_(model_type) {}

  void Run(const std::byte* weights, int64_t groups, std::byte* packed, std::byte* codes) {
    for (int64_t first = 0; first < groups; first += kLanes) {
      const int count = static_cast<int>(std::min<int64_t>(kLanes, groups - first));
      const std::byte* from = weights + first * kGroupBytes;
      if (count % kTogether == 0) {
        EncodeBatch(from, count, packed + first * kPackedBytes, codes + first);
      } else {
        EncodeOdd(from, count, packed + first * kPackedBytes, codes + first);
      }
    }
  }

 private:
  using L = Lanes;
  using Float = L::Float;
  using Int = L::Int;
  static constexpr int kLanes = L::kCount;
  static constexpr int kGroup = Mode::kGroup;
  static constexpr int kTogether = std::max(1, kLanes / kGroup);  // groups that one step along the row covers
  static constexpr int64_t kGroupBytes = kGroup * BytesOf(kType);
  static constexpr int64_t kPackedBytes = kGroup * Mode::kBits / 8;

  // Where groups are encoded together and the last one is alone: beside one of zeros.
  void EncodeOdd(const std::byte* from, int count, std::byte* packed, std::byte* codes) {
    alignas(64) std::byte padded[(kLanes + 1) * kGroupBytes] = {};
    std::byte all_packed[(kLanes + 1) * kPackedBytes], all_codes[kLanes + 1];
    std::memcpy(padded, from, static_cast<size_t>(count * kGroupBytes));
    EncodeBatch(padded, count + 1, all_packed, all_codes);
    std::memcpy(packed, all_packed, static_cast<size_t>(count * kPackedBytes));
    std::memcpy(codes, all_codes, static_cast<size_t>(count));
  }

  void EncodeBatch(const std::byte* from, int count, std::byte* packed, std::byte* codes) {
    alignas(64) float largest[kLanes] = {}, scale[kLanes], inverse[kLanes];
    alignas(64) uint32_t code[kLanes];
    for (int g = 0; g < count; g += kTogether) {
      Float magnitude = 0.0f;
      for (int i = 0; i < kGroup; i += kLanes) magnitude = Larger(L::Abs(Weights(from, g, i)), magnitude);
      StoreLargest<kTogether>(magnitude, largest + g);
    }
    const Float ratio = RoundedTo<L>(model_type_, L::Load(largest) / Float(Mode::kLargest));
    const GroupScale<L> scales = Mode::template ScaleOf<L>(ratio);
    L::Store(scales.code, code);
    L::Store(scales.scale, scale);
    L::Store(scales.inverse, inverse);
    for (int g = 0; g < count; ++g) codes[g] = static_cast<std::byte>(code[g]);
    for (int g = 0; g < count; g += kTogether) {
      std::byte* to = packed + g * kPackedBytes;
      if (*std::max_element(largest + g, largest + g + kTogether) >= Mode::kMostCertain) {
        const Float divisor = SpreadOverRow<kTogether>(scale + g);
        Write(from, g, to, [&](Float x) { return ToE2M1ByDifference<L>(x / divisor, model_type_); });
      } else if (inverse[g] == 0.0f) {
        const Float divisor = SpreadOverRow<kTogether>(scale + g);
        Write(from, g, to, [&](Float x) { return Mode::template CodeOf<L>(x / divisor); });
      } else {
        const Float factor = SpreadOverRow<kTogether>(inverse + g);
        Write(from, g, to, [&](Float x) { return Mode::template CodeOf<L>(x * factor); });
      }
    }
  }

  static QUANTD_LANE Float Weights(const std::byte* from, int group, int i) {
    return LoadRow<kType>(from, group * kGroup + i);
  }

  // The elements of kTogether groups.
  template <class CodeOf>
  QUANTD_LANE void Write(const std::byte* from, int group, std::byte* packed, CodeOf code_of) const {
    LevelWriter<Mode::kBits> writer(packed);
    for (int i = 0; i < kTogether * kGroup; i += kLanes) writer.Put(i, code_of(Weights(from, group, i)));
    writer.Finish(kTogether * kGroup);
  }

  const WeightType model_type_;
};

template <class Mode>
void EncodeFloat(const WeightRows& weights, WeightType model_type, std::span<std::byte* const> planes) {
  const auto* data = static_cast<const std::byte*>(weights.data);
  const int64_t groups = weights.rows * (weights.columns / Mode::kGroup);
  switch (weights.type) {
    case WeightType::kF32:
      return FloatEncoder<Mode, WeightType::kF32>(model_type).Run(data, groups, planes[0], planes[1]);
    case WeightType::kF16:
      return FloatEncoder<Mode, WeightType::kF16>(model_type).Run(data, groups, planes[0], planes[1]);
    case WeightType::kBf16:
      return FloatEncoder<Mode, WeightType::kBf16>(model_type).Run(data, groups, planes[0], planes[1]);
  }
}

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
