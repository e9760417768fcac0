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
// An importance matrix gives every column of a tensor a weight (the mean square of its activations): types
// that use it put more of the error where activations are small.
//
// Codecs are stateless, immutable and safe to use from any number of threads. They never allocate per call on
// the heap in proportion to the rows. Inputs must be finite (callers refuse other values; see device.h): on
// NaN or infinity the output is unspecified, but no memory outside the planes is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace quantd::quant {

// How weights that are to be encoded lie in memory.
enum class WeightType { kF32, kF16, kBf16 };

// rows * columns weights, row after row without padding, aligned to their type; not owned.
struct WeightRows {
  WeightType type = WeightType::kF32;
  const void* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
};

enum class ImportanceUse { kIgnored, kOptional, kRequired };

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

  // What Encode does with an importance matrix. kRequired: it must not be null.
  virtual ImportanceUse importance_use() const { return ImportanceUse::kIgnored; }

  // Encodes rows whose `columns` is a multiple of weights_per_block(). `importance` is null or `columns`
  // finite numbers, none negative. `planes[p]` points at room for plane p of these rows.
  virtual void Encode(const WeightRows& weights, const float* importance,
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
