// Encodes a tile, some rows of one source tensor, for one output tensor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "workers/formats/output_plan.h"

namespace quantd {

// How far an encoding is from its source, over any number of tiles.
struct EncodingError {
  double squared_difference = 0.0;
  double squared_source = 0.0;
  double largest = 0.0;

  void Add(const EncodingError& other);
  // Root mean square of the difference over that of the source; 0 for a source of zeros.
  double Relative() const;
};

struct EncodedTile {
  std::vector<std::vector<std::byte>> planes;
  EncodingError error;  // zero for plain floats
};

// `weights` are rows * columns source weights. Rows are a multiple of output.rows_per_head.
EncodedTile EncodeTile(const OutputTensor& output, std::span<const float> weights, int64_t rows);

}  // namespace quantd
