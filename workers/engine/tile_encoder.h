// Encodes a tile, some rows of one source tensor, for the output tensors that come from it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/output_plan.h"
#include "workers/quant/device.h"

namespace quantd {

struct EncodedTile {
  std::vector<std::vector<std::byte>> planes;
  quant::EncodingError error;  // zero for plain floats and for rows that were copied
  std::string_view device;     // the kind that encoded it; "cpu" for rows that were copied
};

// Rows of a source tensor, as its file stores them.
struct SourceRows {
  const quant::Codec* codec = nullptr;  // of one plane
  std::span<const std::byte> stored;
  int64_t rows = 0;
  int64_t columns = 0;
};

// What an output tensor makes of a tile's rows.
struct OutputRows {
  const OutputTensor* tensor = nullptr;
  int64_t first_row = 0;  // of the output tensor
  RowOrder order = RowOrder::kAsSource;
};

// For one thread: keeps its working memory.
class OutputEncoder {
 public:
  // `encoder` outlives it.
  explicit OutputEncoder(quant::TileEncoder& encoder) : encoder_(encoder) {}

  // tiles[i] becomes what outputs[i] makes of the rows, columns first where the tensor is transposed; room
  // that a tile has already is used again. Rows are a multiple of every output's rows_per_head. Returns the
  // index, in these rows, of the first weight that is not finite, if any.
  absl::StatusOr<std::optional<int64_t>> Encode(const SourceRows& source, std::span<const OutputRows> outputs,
                                                std::span<EncodedTile> tiles);

 private:
  quant::WeightRows WeightsOf(const SourceRows& source);
  absl::StatusOr<std::optional<int64_t>> EncodeTogether(const quant::WeightRows& weights,
                                                        std::span<const OutputRows* const> outputs,
                                                        std::span<EncodedTile* const> tiles);
  absl::StatusOr<std::optional<int64_t>> EncodeChanged(const quant::WeightRows& weights,
                                                       const OutputRows& output, EncodedTile& tile);

  quant::TileEncoder& encoder_;
  quant::ErrorMeter meter_;
  std::vector<float> decoded_;
  std::vector<std::byte> reordered_;
  std::vector<std::byte> cast_;
  std::vector<std::byte> transposed_;
};

// Rows of a computed tensor.
EncodedTile EncodeComputed(const OutputTensor& output, int64_t first_row, int64_t rows);

}  // namespace quantd
