// What one target will write, decided before the first weight is read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "workers/quant/codec.h"

namespace quantd {

// llama.cpp rotates neighbouring pairs of a query's or key's dimensions, Hugging Face the two halves of a
// head: each keeps the rows of these tensors in the order that suits it.
enum class RowOrder { kAsSource, kHalvesToPairs, kPairsToHalves };

// Where row `row` of a head with `head_rows` rows goes.
inline int64_t ReorderedRow(RowOrder order, int64_t row, int64_t head_rows) {
  const int64_t half = head_rows / 2;
  switch (order) {
    case RowOrder::kHalvesToPairs:
      return row < half ? 2 * row : 2 * (row - half) + 1;
    case RowOrder::kPairsToHalves:
      return row / 2 + (row % 2) * half;
    case RowOrder::kAsSource:
      break;
  }
  return row;
}

// Rows of one source tensor that an output tensor takes.
struct SourceSlice {
  size_t tensor = 0;  // index of the model's tensor
  int64_t first_row = 0;
  int64_t rows = 0;
  RowOrder row_order = RowOrder::kAsSource;
};

// Writes rows [first_row, first_row + rows) of a computed tensor to `out`.
using RowComputation = std::function<void(int64_t first_row, int64_t rows, float* out)>;

// A tensor of the artifact. Its rows come from source tensors, or are computed.
struct OutputTensor {
  std::string name;  // as the format spells it, without plane suffixes
  const quant::Codec* codec = nullptr;
  std::vector<int64_t> shape;  // in weights, outermost first; the last dimension is a whole number of blocks
  // Its rows, one slice after the other; empty when it is computed. A slice follows the one before it in the
  // order of the model's tensors, with no other rows between them that this artifact takes.
  std::vector<SourceSlice> sources;
  RowComputation compute;  // of a computed tensor
  // Weights are rounded to this codec's type before they are encoded; null when they are not.
  const quant::Codec* cast = nullptr;
  int64_t rows_per_head = 1;  // rows of one attention head, which a slice's row order keeps together
  // Stored with rows and columns exchanged; of plain floats only. `shape` stays that of the source.
  bool transposed = false;
  // A plane of numbers below 16 that the codec writes one to a byte and the file keeps two to a byte, the
  // first in the low half, through all rows: rows of an odd number of them share bytes.
  std::optional<size_t> nibble_plane;
  // What each column weighs, for codecs that use it (quant/codec.h): columns() numbers, or as many for each
  // matrix (the last two dimensions) of a tensor of several matrices, one after the other. Null for none.
  std::shared_ptr<const std::vector<float>> importance;

  // Whether rows stored by `stored` are this tensor's rows already. Encoding anew what a block codec decoded
  // would change it.
  bool CopiesRowsOf(const quant::Codec& stored, RowOrder order) const {
    return codec == &stored && cast == nullptr && order == RowOrder::kAsSource;
  }

  int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const { return columns() == 0 ? 0 : elements() / columns(); }
  int64_t elements() const {
    int64_t count = 1;
    for (int64_t dimension : shape) count *= dimension;
    return count;
  }
  // Rows that share one importance of columns: those of one matrix, or all.
  int64_t rows_per_importance() const {
    if (importance == nullptr || importance->empty()) return std::max<int64_t>(1, rows());
    return std::max<int64_t>(1, elements() / static_cast<int64_t>(importance->size()));
  }
  // As stored.
  int64_t PlaneBytes(size_t plane) const {
    const int64_t bytes = rows() * codec->RowBytes(plane, columns());
    return plane == nibble_plane ? (bytes + 1) / 2 : bytes;
  }
  int64_t bytes() const {
    int64_t sum = 0;
    for (size_t plane = 0; plane < codec->planes().size(); ++plane) sum += PlaneBytes(plane);
    return sum;
  }
};

// A small file that is known before any weight is: configuration, tokenizer.
struct SidecarFile {
  std::string path;
  std::string content;
};

struct OutputPlan {
  // Computed tensors first, then in the order of the model's tensors.
  std::vector<OutputTensor> tensors;
  std::vector<SidecarFile> sidecars;
  // What the caller may not expect, a sentence each.
  std::vector<std::string> notes;

  int64_t TensorBytes() const {
    int64_t sum = 0;
    for (const OutputTensor& tensor : tensors) sum += tensor.bytes();
    return sum;
  }
  bool HasTransposed() const {
    return std::any_of(tensors.begin(), tensors.end(),
                       [](const OutputTensor& tensor) { return tensor.transposed; });
  }
  double BitsPerWeight() const {
    int64_t weights = 0;
    for (const OutputTensor& tensor : tensors) weights += tensor.elements();
    return weights == 0 ? 0.0 : 8.0 * static_cast<double>(TensorBytes()) / static_cast<double>(weights);
  }
};

}  // namespace quantd
