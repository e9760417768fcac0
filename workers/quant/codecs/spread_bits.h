// Packed bits as bytes, eight at a time: what decoders do where a loop over single bits would not vectorise.
#pragma once

#include <cstdint>

namespace quantd::quant {

// Byte i of the result is bit i.
constexpr uint64_t SpreadBits(uint8_t bits) {
  const uint64_t selected = bits * 0x0101010101010101u & 0x8040201008040201u;  // byte i has bit i or is 0
  return (selected + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u;
}

// Byte i of the result is the pair of bits 2i, 2i + 1.
constexpr uint32_t SpreadPairs(uint32_t byte) {
  return (byte | byte << 6 | byte << 12 | byte << 18) & 0x03030303u;
}

}  // namespace quantd::quant
