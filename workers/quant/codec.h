// A codec turns rows of float weights into the bytes of one storage type and back.
//
// Layout: a codec writes one or several *planes*. In each plane rows follow each other without padding (plane
// pointers are aligned to 4 bytes): plane p of R rows by C columns takes R * RowBytes(p, C) bytes. A block is
// `weights_per_block()` consecutive weights of one row. Of most codecs a row is a whole number of blocks,
// whose bytes follow each other: C / weights_per_block() * planes()[p].bytes_per_block. The others say so by
// column_multiple(): a row's last block may be cut short (ONNX), or a whole row is one block (OpenVINO).
//   GGUF types have one plane ("data": scales and levels interleaved per block, as ggml lays them out).
//   MLX affine types have three ("weight": packed levels, "scales", "biases").
//   ONNX's MatMulNBits types have two or three ("packed", "scales", "zero_points"), OpenVINO's integers too
//   ("weight", "scale", "zero_point").
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
  std::string_view name;    // "data", or the format's own word: "weight", "scales", "zero_points"
  int64_t bytes_per_block;  // > 0; 0 where only RowBytes tells: blocks share bytes, or a row is one block
};

// Of a codec that makes one block of each row, whatever its length.
inline constexpr int64_t kWholeRow = 0;

class Codec {
 public:
  virtual ~Codec() = default;

  // The type's name: llama.cpp's own for GGUF types ("Q4_K", "F16"), "MLX_I4_G64_BF16" for MLX affine
  // (bits, group size, the type in which scales and biases are stored), "ONNX_I4_B32_SYM_DEFAULT_F32" for
  // MatMulNBits (bits, block size, symmetry, algorithm, type of the scales), "OPENVINO_I4_G64_ASYM" and
  // "OPENVINO_I8_ROW_SYM" for OpenVINO.
  virtual std::string_view name() const = 0;
  // kWholeRow, or how many consecutive weights share what a block stores once; 1 of plain floats only.
  virtual int64_t weights_per_block() const = 0;
  // What a row's columns must be a multiple of.
  virtual int64_t column_multiple() const { return weights_per_block(); }
  virtual std::span<const PlaneSpec> planes() const = 0;

  // What Encode does with an importance matrix. kRequired: it must not be null.
  virtual ImportanceUse importance_use() const { return ImportanceUse::kIgnored; }

  // Encodes rows whose `columns` is a multiple of column_multiple(). `importance` is null or `columns`
  // finite numbers, none negative. `planes[p]` points at room for plane p of these rows.
  virtual void Encode(const WeightRows& weights, const float* importance,
                      std::span<std::byte* const> planes) const = 0;

  // The inverse: reads all planes, writes rows * columns weights exactly as the format's runtime would
  // reconstruct them.
  virtual void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
                      float* weights) const = 0;

  // Bytes of one row of `columns` weights in plane `plane`. No overflow check: callers validate shapes first.
  virtual int64_t RowBytes(size_t plane, int64_t columns) const;

  // Whether decoding gives other weights than a source of the same type had: all but the plain floats.
  bool IsQuantized() const { return weights_per_block() != 1; }
  // Bits per weight over all planes, of long rows.
  double BitsPerWeight() const;
};

}  // namespace quantd::quant
