#include "workers/models/targets/openvino/mixed_precision.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/quant/codec_list.h"
#include "workers/quant/codecs/openvino_integers.h"

namespace quantd {
namespace {

constexpr int64_t kTileWeights = int64_t{1} << 19;

struct Tile {
  size_t index;  // of the tensor in the list to measure
  int64_t first_row;
  int64_t rows;
};

class ErrorPass {
 public:
  ErrorPass(const Model& model, std::span<const size_t> tensors, const PlanOptions& options)
      : model_(model), tensors_(tensors), options_(options), errors_(tensors.size(), 0.0) {
    for (size_t i = 0; i < tensors.size(); ++i) AddTiles(i);
    // As they lie in the files: reading ahead then fetches what comes next.
    std::stable_sort(tiles_.begin(), tiles_.end(), [this](const Tile& a, const Tile& b) {
      const SourceTensor &first = Source(a.index), &second = Source(b.index);
      return std::tie(first.path, first.offset, a.first_row) <
             std::tie(second.path, second.offset, b.first_row);
    });
  }

  absl::StatusOr<std::vector<double>> Run() {
    {
      std::vector<std::jthread> threads;
      for (int i = 1; i < options_.threads; ++i) threads.emplace_back([this] { Work([] { return true; }); });
      Work([this] { return !options_.keep_going || options_.keep_going(); });
    }
    RETURN_IF_ERROR(status_);
    return std::move(errors_);
  }

 private:
  // A thread's working memory.
  struct Buffers {
    std::vector<std::byte> stored;
    std::vector<float> decoded;
  };

  const SourceTensor& Source(size_t index) const { return model_.tensors[tensors_[index]].source; }

  void AddTiles(size_t index) {
    const SourceTensor& source = Source(index);
    const int64_t step = std::max<int64_t>(1, kTileWeights / std::max<int64_t>(1, source.columns()));
    for (int64_t row = 0; row < source.rows(); row += step)
      tiles_.push_back({index, row, std::min(step, source.rows() - row)});
  }

  template <typename KeepGoing>
  void Work(const KeepGoing& keep_going) {
    Buffers buffers;
    for (size_t next = next_++; next < tiles_.size(); next = next_++) {
      if (!keep_going()) return Stop(absl::CancelledError("cancelled"));
      const Tile& tile = tiles_[next];
      absl::StatusOr<double> error = Measure(tile, buffers);
      if (!error.ok()) return Stop(error.status());
      const std::lock_guard lock(mutex_);
      errors_[tile.index] = std::max(errors_[tile.index], *error);
    }
  }

  // The other threads find no more tiles.
  void Stop(const absl::Status& status) {
    next_ = tiles_.size();
    const std::lock_guard lock(mutex_);
    status_.Update(status);
  }

  absl::StatusOr<double> Measure(const Tile& tile, Buffers& buffers) const {
    const SourceTensor& source = Source(tile.index);
    const int64_t row_bytes = source.codec->RowBytes(0, source.columns());
    const std::string where = absl::StrCat(source.path, ": tensor ", source.name);
    buffers.stored.resize(static_cast<size_t>(tile.rows * row_bytes));
    const uint64_t offset = source.offset + static_cast<uint64_t>(tile.first_row * row_bytes);
    source.file->WillRead(offset + kReadAheadBytes, buffers.stored.size());
    if (absl::Status status = source.file->ReadAt(offset, buffers.stored); !status.ok())
      return Annotate(status, where);
    const double error = quant::WorstInt8Error(WeightsOf(source, tile.rows, buffers));
    if (!std::isnan(error)) return error;
    return absl::InvalidArgumentError(absl::StrCat(where, " has weights that are not finite"));
  }

  static quant::WeightRows WeightsOf(const SourceTensor& source, int64_t rows, Buffers& buffers) {
    if (const std::optional<quant::WeightType> type = quant::PlainType(*source.codec))
      return {*type, buffers.stored.data(), rows, source.columns()};
    buffers.decoded.resize(static_cast<size_t>(rows * source.columns()));
    const std::byte* plane = buffers.stored.data();
    source.codec->Decode({&plane, 1}, rows, source.columns(), buffers.decoded.data());
    return {quant::WeightType::kF32, buffers.decoded.data(), rows, source.columns()};
  }

  const Model& model_;
  const std::span<const size_t> tensors_;
  const PlanOptions& options_;
  std::vector<Tile> tiles_;
  std::atomic<size_t> next_ = 0;
  std::mutex mutex_;
  std::vector<double> errors_;  // under mutex_
  absl::Status status_;         // under mutex_
};

}  // namespace

std::vector<bool> ChooseFourBits(std::span<const MixedCandidate> candidates, double ratio) {
  std::vector<double> scores;
  int64_t all_weights = 0;
  for (const MixedCandidate& candidate : candidates) {
    scores.push_back(1.0 / (candidate.error + candidate.epsilon));
    all_weights += candidate.weights;
  }
  std::vector<size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  std::vector<bool> chosen(candidates.size(), false);
  int64_t taken = 0;
  for (size_t index : order) {
    taken += candidates[index].weights;
    if (static_cast<double>(taken) / static_cast<double>(all_weights) >= ratio) break;
    chosen[index] = true;
  }
  return chosen;
}

double EpsilonOf(const SourceTensor& tensor) {
  switch (quant::PlainType(*tensor.codec).value_or(quant::WeightType::kF32)) {
    case quant::WeightType::kF16:
      return 0x1p-10;
    case quant::WeightType::kBf16:
      return 0x1p-7;
    case quant::WeightType::kF32:
      break;
  }
  return 0x1p-23;
}

absl::StatusOr<std::vector<double>> MeasureInt8Errors(const Model& model, std::span<const size_t> tensors,
                                                      const PlanOptions& options) {
  return ErrorPass(model, tensors, options).Run();
}

}  // namespace quantd
