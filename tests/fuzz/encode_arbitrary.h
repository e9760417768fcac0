// What the fuzzer and its seeded test run: any bytes, read as a codec, a shape, weights and an importance
// matrix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace quantd::quant {

// Encodes and decodes on every CPU target of this processor, in buffers of the exact size, so that a
// sanitizer sees any step outside. Where weights and importance are what the codec's contract asks for, all
// targets must write the same bytes. Returns what was wrong, or an empty string.
std::string EncodeArbitrary(std::span<const uint8_t> input);

}  // namespace quantd::quant
