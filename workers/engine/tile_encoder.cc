#include "workers/engine/tile_encoder.h"

#include <algorithm>
#include <cmath>

namespace quantd {
namespace {

using quant::Codec;

std::vector<std::vector<std::byte>> Encode(const Codec& codec, const float* weights, int64_t rows,
                                           int64_t columns) {
  std::vector<std::vector<std::byte>> planes;
  std::vector<std::byte*> pointers;
  for (size_t plane = 0; plane < codec.planes().size(); ++plane) {
    planes.emplace_back(static_cast<size_t>(rows * codec.RowBytes(plane, columns)));
    pointers.push_back(planes.back().data());
  }
  codec.Encode({quant::WeightType::kF32, weights, rows, columns}, nullptr, pointers);
  return planes;
}

void Decode(const Codec& codec, const std::vector<std::vector<std::byte>>& planes, int64_t rows,
            int64_t columns, float* weights) {
  std::vector<const std::byte*> pointers;
  pointers.reserve(planes.size());
  for (const auto& plane : planes) pointers.push_back(plane.data());
  codec.Decode(pointers, rows, columns, weights);
}

std::vector<float> ReorderRows(const OutputTensor& output, std::span<const float> weights, int64_t rows) {
  const int64_t columns = output.columns();
  std::vector<float> reordered(weights.size());
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t head = row / output.rows_per_head * output.rows_per_head;
    const int64_t target = head + ReorderedRow(output.row_order, row - head, output.rows_per_head);
    std::copy_n(weights.data() + row * columns, columns, reordered.data() + target * columns);
  }
  return reordered;
}

EncodingError Compare(std::span<const float> source, std::span<const float> decoded) {
  EncodingError error;
  // Sums in blocks of float, added up in double: fast, and exact enough to compare recipes.
  constexpr size_t kBlock = 256;
  for (size_t begin = 0; begin < source.size(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, source.size());
    float difference = 0.0f, magnitude = 0.0f, largest = 0.0f;
    for (size_t i = begin; i < end; ++i) {
      const float delta = decoded[i] - source[i];
      difference += delta * delta;
      magnitude += source[i] * source[i];
      largest = std::max(largest, std::fabs(delta));
    }
    error.Add({difference, magnitude, largest});
  }
  return error;
}

}  // namespace

void EncodingError::Add(const EncodingError& other) {
  squared_difference += other.squared_difference;
  squared_source += other.squared_source;
  largest = std::max(largest, other.largest);
}

double EncodingError::Relative() const {
  return squared_source > 0.0 ? std::sqrt(squared_difference / squared_source) : 0.0;
}

EncodedTile EncodeTile(const OutputTensor& output, std::span<const float> weights, int64_t rows) {
  const int64_t columns = output.columns();
  std::vector<float> reordered;
  std::span<const float> source = weights;
  if (output.row_order != RowOrder::kAsSource) {
    reordered = ReorderRows(output, weights, rows);
    source = reordered;
  }
  std::vector<float> cast;
  std::span<const float> input = source;
  if (output.cast != nullptr) {
    cast.resize(source.size());
    Decode(*output.cast, Encode(*output.cast, source.data(), rows, columns), rows, columns, cast.data());
    input = cast;
  }
  EncodedTile tile;
  tile.planes = Encode(*output.codec, input.data(), rows, columns);
  if (output.codec->weights_per_block() > 1) {
    std::vector<float> decoded(source.size());
    Decode(*output.codec, tile.planes, rows, columns, decoded.data());
    tile.error = Compare(source, decoded);
  }
  return tile;
}

}  // namespace quantd
