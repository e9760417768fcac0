// A codec turns rows of float weights into the bytes of one storage type and back.
//
// Layout: every row is a whole number of blocks; a block is `weights_per_block()` consecutive weights of one
// row. A codec writes one or several *planes*. In each plane the blocks of a row follow each other, and rows
// follow each other, with no padding (plane pointers are aligned to 4 bytes): plane p of R rows by C columns
// takes R * C / weights_per_block() * planes()[p].bytes_per_block bytes.
//   GGUF types have one plane ("data": scales and levels interleaved per block, as ggml lays them out).
//   MLX affine types have three ("weight": packed levels, "scales", "biases").
//   Plain floats (F32, F16, BF16) have one plane and blocks of one weight.
//
// Codecs are stateless, immutable and safe to use from any number of threads. They never allocate per call on
// the heap in proportion to the rows. Inputs must be finite (callers refuse other values; see finite.h): on
// NaN or infinity the output is unspecified, but no memory outside the planes is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace quantd::quant {

struct PlaneSpec {
  std::string_view name;    // "data", or the MLX suffixes "weight", "scales", "biases"
  int64_t bytes_per_block;  // > 0
};

class Codec {
 public:
  virtual ~Codec() = default;

  // The type's name: llama.cpp's own for GGUF types ("Q4_K", "F16"), "MLX_I4_G64_BF16" for MLX affine
  // (bits, group size, the type in which scales and biases are stored).
  virtual std::string_view name() const = 0;
  virtual int64_t weights_per_block() const = 0;
  virtual std::span<const PlaneSpec> planes() const = 0;

  // Encodes `rows` rows of `columns` contiguous weights. `columns` is a multiple of weights_per_block().
  // `planes[p]` points at room for plane p of these rows.
  virtual void Encode(const float* weights, int64_t rows, int64_t columns,
                      std::span<std::byte* const> planes) const = 0;

  // The inverse: reads all planes, writes rows * columns weights exactly as the format's runtime would
  // reconstruct them.
  virtual void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
                      float* weights) const = 0;

  // Bits per weight over all planes.
  double BitsPerWeight() const;
  // Bytes of one row of `columns` weights in plane `plane`. No overflow check: callers validate shapes first.
  int64_t RowBytes(size_t plane, int64_t columns) const;
};

}  // namespace quantd::quant
