#include "workers/engine/tile_encoder.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "workers/quant/widen.h"

namespace quantd {
namespace {

using quant::Codec;
using quant::WeightRows;
using quant::WeightType;

std::optional<WeightType> PlainType(const Codec& codec) {
  if (codec.name() == "F32") return WeightType::kF32;
  if (codec.name() == "F16") return WeightType::kF16;
  if (codec.name() == "BF16") return WeightType::kBf16;
  return std::nullopt;
}

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

// The importance of the columns of the matrix that has that row: tensors of several matrices have one for
// each.
const float* ImportanceOf(const OutputTensor& output, int64_t row) {
  if (output.importance == nullptr) return nullptr;
  return output.importance->data() + row / output.rows_per_importance() * output.columns();
}

void ReorderRows(const OutputTensor& output, const WeightRows& weights, std::vector<std::byte>& reordered) {
  const size_t row_bytes = static_cast<size_t>(weights.columns * quant::BytesOf(weights.type));
  reordered.resize(static_cast<size_t>(weights.rows) * row_bytes);
  for (int64_t row = 0; row < weights.rows; ++row) {
    const int64_t head = row / output.rows_per_head * output.rows_per_head;
    const int64_t target = head + ReorderedRow(output.row_order, row - head, output.rows_per_head);
    std::memcpy(reordered.data() + static_cast<size_t>(target) * row_bytes,
                static_cast<const std::byte*>(weights.data) + static_cast<size_t>(row) * row_bytes,
                row_bytes);
  }
}

bool IsChanged(const OutputTensor& output, WeightType type) {
  return output.row_order != RowOrder::kAsSource ||
         (output.cast != nullptr && PlainType(*output.cast) != type);
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
                                                             std::span<const OutputTensor* const> outputs,
                                                             std::span<EncodedTile> tiles) {
  const WeightRows weights = WeightsOf(source);
  std::vector<const OutputTensor*> together;
  std::vector<EncodedTile*> tiles_together;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i]->CopiesRowsOf(*source.codec)) {
      if (const std::optional<int64_t> bad = quant::FirstNonFinite(weights)) return bad;
      MakeRoom(*outputs[i], source.rows, tiles[i]);
      std::copy(source.stored.begin(), source.stored.end(), tiles[i].planes[0].begin());
    } else if (IsChanged(*outputs[i], weights.type)) {
      ASSIGN_OR_RETURN(std::optional<int64_t> bad,
                       EncodeChanged(weights, source.first_row, *outputs[i], tiles[i]));
      if (bad.has_value()) return bad;
    } else {
      together.push_back(outputs[i]);
      tiles_together.push_back(&tiles[i]);
    }
  }
  if (outputs.empty()) return quant::FirstNonFinite(weights);  // refused though nobody asked for it
  if (together.empty()) return std::nullopt;
  return EncodeTogether(weights, source.first_row, together, tiles_together);
}

absl::StatusOr<std::optional<int64_t>> OutputEncoder::EncodeTogether(
    const WeightRows& weights, int64_t first_row, std::span<const OutputTensor* const> outputs,
    std::span<EncodedTile* const> tiles) {
  std::vector<std::vector<std::byte*>> planes;
  for (size_t i = 0; i < outputs.size(); ++i)
    planes.push_back(MakeRoom(*outputs[i], weights.rows, *tiles[i]));
  std::vector<quant::TileOutput> jobs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    jobs.push_back({outputs[i]->codec, ImportanceOf(*outputs[i], first_row), planes[i], &tiles[i]->error,
                    &tiles[i]->device});
  }
  return encoder_.Encode(weights, jobs);
}

// Rows in another order, or weights that are rounded to another type first: the error is still that against
// the source's weights.
absl::StatusOr<std::optional<int64_t>> OutputEncoder::EncodeChanged(const WeightRows& weights,
                                                                    int64_t first_row,
                                                                    const OutputTensor& output,
                                                                    EncodedTile& tile) {
  // Checked here, so that the index is the source's.
  if (const std::optional<int64_t> bad = quant::FirstNonFinite(weights)) return bad;
  WeightRows source = weights;
  if (output.row_order != RowOrder::kAsSource) {
    ReorderRows(output, weights, reordered_);
    source.data = reordered_.data();
  }
  WeightRows rounded = source;
  if (output.cast != nullptr) {
    cast_.resize(static_cast<size_t>(source.rows * output.cast->RowBytes(0, source.columns)));
    std::byte* plane = cast_.data();
    output.cast->Encode(source, nullptr, {&plane, 1});
    rounded.type = *PlainType(*output.cast);
    rounded.data = cast_.data();
  }
  const std::vector<std::byte*> planes = MakeRoom(output, weights.rows, tile);
  const quant::TileOutput job{output.codec, ImportanceOf(output, first_row), planes, nullptr, &tile.device};
  ASSIGN_OR_RETURN(std::optional<int64_t> bad, encoder_.Encode(rounded, {&job, 1}));
  if (!bad.has_value() && output.codec->IsQuantized()) {
    const std::vector<const std::byte*> stored(planes.begin(), planes.end());
    tile.error = meter_.Measure(source, *output.codec, stored);
  }
  return bad;
}

EncodedTile EncodeValues(const OutputTensor& output) {
  EncodedTile tile;
  const int64_t columns = output.columns();
  const int64_t rows = columns == 0 ? 0 : static_cast<int64_t>(output.values.size()) / columns;
  const std::vector<std::byte*> planes = MakeRoom(output, rows, tile);
  output.codec->Encode({WeightType::kF32, output.values.data(), rows, columns}, nullptr, planes);
  return tile;
}

}  // namespace quantd
