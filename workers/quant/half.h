// The 16-bit floats: IEEE binary16 (F16) and bfloat16 (BF16), to and from float. Narrowing rounds to nearest,
// ties to even; NaN becomes a quiet NaN of the same sign. Plain integer code without tables, so that loops
// over it vectorise.
#pragma once

#include <bit>
#include <cstdint>

namespace quantd::quant {

constexpr float HalfToFloat(uint16_t half) {
  constexpr uint32_t kExponent = 0x7c00u << 13;
  uint32_t bits = (half & 0x7fffu) << 13;
  const uint32_t exponent = bits & kExponent;
  bits += (127u - 15u) << 23;
  if (exponent == kExponent) bits += (128u - 16u) << 23;  // infinity or NaN
  float value = std::bit_cast<float>(bits);
  if (exponent == 0)
    value = std::bit_cast<float>(bits + (1u << 23)) - std::bit_cast<float>(113u << 23);  // subnormal
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | (half & 0x8000u) << 16);
}

constexpr uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  // Adding 0.5 moves the subnormal's last bit to the float's last bit, so that the addition itself rounds.
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13;
  uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
  if (magnitude >= 0x47800000u) half = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  return static_cast<uint16_t>(half | sign);
}

constexpr float Bf16ToFloat(uint16_t bf16) { return std::bit_cast<float>(uint32_t{bf16} << 16); }

constexpr uint16_t FloatToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return static_cast<uint16_t>(is_nan ? (bits >> 16) | 64u : rounded);
}

}  // namespace quantd::quant
