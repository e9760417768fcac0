// ONNX Runtime's MatMulNBits weights: blocks along a row (an output channel) share a scale, and a zero point
// where the type has them: weight = scale * (level - zero point). Planes:
//   packed        levels, 4 bits each (even weight below) or 8; a block is stored whole, even where the row
//                 ends inside it;
//   scales        one a block;
//   zero_points   as wide as the levels; of 4 bits, even block below. Where a row has an odd number of blocks
//                 the upper half of its last byte is 8. Symmetric types have none: the middle level is
//                 theirs.
#pragma once

#include <cstdint>

namespace quantd::quant {

enum class OnnxAlgorithm {
  kDefault,  // onnxruntime's C++ quantizer (MlasQuantizeBlockwise)
  kRtn,      // onnxruntime.quantization's "rtn": round to nearest in double
  kKQuant,   // its "k_quant": ggml's search for scale and minimum; always with zero points
};

// The type of the scales. With kF16 and kF32 the weights must have been rounded to that type already; with
// kBf16 they are quantized in float, and only the scales are rounded.
enum class OnnxScale { kF32, kF16, kBf16 };

struct OnnxNbits {
  int bits = 4;    // 4 or 8
  int block = 32;  // 16, 32, 64, 128 or 256
  bool symmetric = true;
  OnnxAlgorithm algorithm = OnnxAlgorithm::kDefault;
  OnnxScale scale = OnnxScale::kF32;

  int64_t BlocksOf(int64_t columns) const { return (columns + block - 1) / block; }
  int64_t ZeroPointBytes(int64_t columns) const { return (BlocksOf(columns) * bits + 7) / 8; }
};

}  // namespace quantd::quant
