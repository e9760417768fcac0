#include "workers/engine/tile_encoder.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "workers/engine/transposition.h"
#include "workers/quant/codec_list.h"
#include "workers/quant/widen.h"

namespace quantd {
namespace {

using quant::PlainType;
using quant::WeightRows;
using quant::WeightType;

// Gives the tile's planes the size that they will have.
std::vector<std::byte*> MakeRoom(const OutputTensor& output, int64_t rows, EncodedTile& tile) {
  const size_t planes = output.codec->planes().size();
  tile.planes.resize(planes);
  tile.error = {};
  tile.device = "cpu";
  std::vector<std::byte*> pointers;
  for (size_t plane = 0; plane < planes; ++plane) {
    tile.planes[plane].resize(static_cast<size_t>(rows * output.codec->RowBytes(plane, output.columns())));
    pointers.push_back(tile.planes[plane].data());
  }
  return pointers;
}

// The importance of the columns of the matrix that has these rows: tensors of several matrices have one for
// each.
const float* ImportanceOf(const OutputRows& output) {
  const OutputTensor& tensor = *output.tensor;
  if (tensor.importance == nullptr) return nullptr;
  return tensor.importance->data() + output.first_row / tensor.rows_per_importance() * tensor.columns();
}

void ReorderRows(const OutputRows& output, const WeightRows& weights, std::vector<std::byte>& reordered) {
  const int64_t head_rows = output.tensor->rows_per_head;
  const size_t row_bytes = static_cast<size_t>(weights.columns * quant::BytesOf(weights.type));
  reordered.resize(static_cast<size_t>(weights.rows) * row_bytes);
  for (int64_t row = 0; row < weights.rows; ++row) {
    const int64_t head = row / head_rows * head_rows;
    const int64_t target = head + ReorderedRow(output.order, row - head, head_rows);
    std::memcpy(reordered.data() + static_cast<size_t>(target) * row_bytes,
                static_cast<const std::byte*>(weights.data) + static_cast<size_t>(row) * row_bytes,
                row_bytes);
  }
}

bool IsChanged(const OutputRows& output, WeightType type) {
  return output.order != RowOrder::kAsSource ||
         (output.tensor->cast != nullptr && PlainType(*output.tensor->cast) != type);
}

}  // namespace

WeightRows OutputEncoder::WeightsOf(const SourceRows& source) {
  if (const std::optional<WeightType> plain = PlainType(*source.codec)) {
    return {*plain, source.stored.data(), source.rows, source.columns};
  }
  decoded_.resize(static_cast<size_t>(source.rows * source.columns));
  const std::byte* plane = source.stored.data();
  source.codec->Decode({&plane, 1}, source.rows, source.columns, decoded_.data());
  return {WeightType::kF32, decoded_.data(), source.rows, source.columns};
}

absl::StatusOr<std::optional<int64_t>> OutputEncoder::Encode(const SourceRows& source,
                                                             std::span<const OutputRows> outputs,
                                                             std::span<EncodedTile> tiles) {
  const WeightRows weights = WeightsOf(source);
  std::vector<const OutputRows*> together;
  std::vector<EncodedTile*> tiles_together;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].tensor->CopiesRowsOf(*source.codec, outputs[i].order)) {
      if (const std::optional<int64_t> bad = quant::FirstNonFinite(weights)) return bad;
      MakeRoom(*outputs[i].tensor, source.rows, tiles[i]);
      std::copy(source.stored.begin(), source.stored.end(), tiles[i].planes[0].begin());
    } else if (IsChanged(outputs[i], weights.type)) {
      ASSIGN_OR_RETURN(std::optional<int64_t> bad, EncodeChanged(weights, outputs[i], tiles[i]));
      if (bad.has_value()) return bad;
    } else {
      together.push_back(&outputs[i]);
      tiles_together.push_back(&tiles[i]);
    }
  }
  if (outputs.empty()) return quant::FirstNonFinite(weights);  // refused though nobody asked for it
  if (!together.empty()) {
    ASSIGN_OR_RETURN(std::optional<int64_t> bad, EncodeTogether(weights, together, tiles_together));
    if (bad.has_value()) return bad;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].tensor->transposed) continue;
    TransposeRows(tiles[i].planes[0], source.rows, source.columns, transposed_);
    tiles[i].planes[0].swap(transposed_);
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<int64_t>> OutputEncoder::EncodeTogether(
    const WeightRows& weights, std::span<const OutputRows* const> outputs,
    std::span<EncodedTile* const> tiles) {
  std::vector<std::vector<std::byte*>> planes;
  for (size_t i = 0; i < outputs.size(); ++i)
    planes.push_back(MakeRoom(*outputs[i]->tensor, weights.rows, *tiles[i]));
  std::vector<quant::TileOutput> jobs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    jobs.push_back({outputs[i]->tensor->codec, ImportanceOf(*outputs[i]), planes[i], &tiles[i]->error,
                    &tiles[i]->device});
  }
  return encoder_.Encode(weights, jobs);
}

// Rows in another order, or weights that are rounded to another type first: the error is still that against
// the source's weights.
absl::StatusOr<std::optional<int64_t>> OutputEncoder::EncodeChanged(const WeightRows& weights,
                                                                    const OutputRows& output,
                                                                    EncodedTile& tile) {
  // Checked here, so that the index is the source's.
  if (const std::optional<int64_t> bad = quant::FirstNonFinite(weights)) return bad;
  WeightRows source = weights;
  if (output.order != RowOrder::kAsSource) {
    ReorderRows(output, weights, reordered_);
    source.data = reordered_.data();
  }
  const OutputTensor& tensor = *output.tensor;
  WeightRows rounded = source;
  if (tensor.cast != nullptr) {
    cast_.resize(static_cast<size_t>(source.rows * tensor.cast->RowBytes(0, source.columns)));
    std::byte* plane = cast_.data();
    tensor.cast->Encode(source, nullptr, {&plane, 1});
    rounded.type = *PlainType(*tensor.cast);
    rounded.data = cast_.data();
  }
  const std::vector<std::byte*> planes = MakeRoom(tensor, weights.rows, tile);
  const quant::TileOutput job{tensor.codec, ImportanceOf(output), planes, nullptr, &tile.device};
  ASSIGN_OR_RETURN(std::optional<int64_t> bad, encoder_.Encode(rounded, {&job, 1}));
  if (!bad.has_value() && tensor.codec->IsQuantized()) {
    const std::vector<const std::byte*> stored(planes.begin(), planes.end());
    tile.error = meter_.Measure(source, *tensor.codec, stored);
  }
  return bad;
}

EncodedTile EncodeComputed(const OutputTensor& output, int64_t first_row, int64_t rows) {
  EncodedTile tile;
  std::vector<float> values(static_cast<size_t>(rows * output.columns()));
  output.compute(first_row, rows, values.data());
  const std::vector<std::byte*> planes = MakeRoom(output, rows, tile);
  output.codec->Encode({WeightType::kF32, values.data(), rows, output.columns()}, nullptr, planes);
  return tile;
}

}  // namespace quantd
