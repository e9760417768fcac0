#include "workers/engine/pipeline.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status.h"

namespace quantd {
namespace {

// Where one source tensor goes.
struct Route {
  size_t target;
  size_t tensor;  // of the target's plan
};

struct RawTile {
  int64_t sequence = 0;
  size_t source = 0;
  int64_t first_row = 0;
  int64_t rows = 0;
  bool last_of_tensor = false;
  std::unique_ptr<quant::HostBuffer> buffer;
  size_t size = 0;  // bytes of the buffer that are the tile's
};

struct FinishedTile {
  size_t source = 0;
  bool last_of_tensor = false;
  int64_t source_bytes = 0;
  std::vector<EncodedTile> encoded;  // one for each route of the source
  double seconds = 0.0;              // of encoding them
};

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Tiles between the threads. The first error ends everything.
class TileFlow {
 public:
  explicit TileFlow(int64_t most) : most_(most) {}

  // Waits for room for one more tile. False when the run has ended.
  bool Reserve() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || in_flight_ < most_; });
    if (ended_) return false;
    ++in_flight_;
    return true;
  }

  // A tile that Reserve made room for.
  void Push(RawTile tile) {
    std::lock_guard lock(mutex_);
    raw_.push_back(std::move(tile));
    changed_.notify_all();
  }

  // Nothing when there will be no more.
  std::optional<RawTile> TakeRaw() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || !raw_.empty() || all_pushed_; });
    if (ended_ || raw_.empty()) return std::nullopt;
    RawTile tile = std::move(raw_.front());
    raw_.pop_front();
    return tile;
  }

  void PutFinished(int64_t sequence, FinishedTile tile) {
    std::lock_guard lock(mutex_);
    finished_[sequence] = std::move(tile);
    changed_.notify_all();
  }

  // In order of sequence. Nothing when all are taken or the run has ended.
  std::optional<FinishedTile> TakeFinished() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return ended_ || finished_.count(next_) > 0 || (all_pushed_ && next_ == total_); });
    if (ended_ || finished_.count(next_) == 0) return std::nullopt;
    FinishedTile tile = std::move(finished_.extract(next_++).mapped());
    return tile;
  }

  // The writer is done with a tile: its memory may be used again.
  void Release(FinishedTile tile) {
    std::lock_guard lock(mutex_);
    --in_flight_;
    used_tiles_.push_back(std::move(tile));
    changed_.notify_all();
  }

  // Memory of tiles that went through, or new. Nothing where there is none yet.
  FinishedTile UsedTile() {
    std::lock_guard lock(mutex_);
    if (used_tiles_.empty()) return {};
    FinishedTile tile = std::move(used_tiles_.back());
    used_tiles_.pop_back();
    return tile;
  }
  std::unique_ptr<quant::HostBuffer> UsedBuffer() {
    std::lock_guard lock(mutex_);
    if (used_buffers_.empty()) return nullptr;
    std::unique_ptr<quant::HostBuffer> buffer = std::move(used_buffers_.back());
    used_buffers_.pop_back();
    return buffer;
  }
  void GiveBack(std::unique_ptr<quant::HostBuffer> buffer) {
    std::lock_guard lock(mutex_);
    used_buffers_.push_back(std::move(buffer));
  }

  void AllPushed(int64_t total) {
    std::lock_guard lock(mutex_);
    all_pushed_ = true;
    total_ = total;
    changed_.notify_all();
  }

  void Fail(absl::Status status) {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    status_ = std::move(status);
    changed_.notify_all();
  }

  absl::Status status() {
    std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  const int64_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RawTile> raw_;
  std::map<int64_t, FinishedTile> finished_;
  std::vector<FinishedTile> used_tiles_;
  std::vector<std::unique_ptr<quant::HostBuffer>> used_buffers_;
  int64_t in_flight_ = 0;
  int64_t next_ = 0;
  int64_t total_ = 0;
  bool all_pushed_ = false;
  bool ended_ = false;
  absl::Status status_;
};

// Rows that a tile's row count is a multiple of: whole heads where an output rotates them.
int64_t RowUnit(const std::vector<Route>& routes, std::span<const TargetRun> targets) {
  int64_t unit = 1;
  for (const Route& route : routes) {
    unit = std::lcm(unit, targets[route.target].planned->plan.tensors[route.tensor].rows_per_head);
  }
  return unit;
}

int64_t TileRows(int64_t columns, int64_t unit) {
  return std::max<int64_t>(1, kTileWeights / std::max<int64_t>(1, columns) / unit) * unit;
}

// Tiles must not reach across matrices whose columns weigh differently.
int64_t LargestDivisor(int64_t rows, int64_t most) {
  int64_t step = std::min(rows, most);
  while (rows % step != 0) --step;
  return step;
}

class Pipeline {
 public:
  Pipeline(const Model& model, std::span<TargetRun> targets, const PipelineOptions& options)
      : model_(model),
        targets_(targets),
        options_(options),
        cpu_only_(DeviceChoice::kCpu, nullptr),
        devices_(options.devices != nullptr ? *options.devices : cpu_only_),
        threads_(devices_.EncoderThreads(options.threads)),
        routes_(model.tensors.size()),
        flow_(2 * threads_ + 2) {
    for (size_t t = 0; t < targets.size(); ++t) {
      const std::vector<OutputTensor>& tensors = targets[t].planned->plan.tensors;
      targets[t].errors.resize(tensors.size());
      targets[t].digests.resize(tensors.size());
      for (size_t i = 0; i < tensors.size(); ++i) {
        if (tensors[i].source.has_value()) routes_[*tensors[i].source].push_back({t, i});
      }
    }
    progress_.tensors_total = static_cast<int64_t>(model.tensors.size());
    for (const ModelTensor& tensor : model.tensors)
      progress_.bytes_total += static_cast<int64_t>(tensor.source.bytes);
  }

  absl::Status Run() {
    RETURN_IF_ERROR(BeginTargets());
    {
      std::vector<std::jthread> threads;
      threads.emplace_back([this] { ReadTiles(); });
      for (int i = 0; i < threads_; ++i) threads.emplace_back([this] { EncodeTiles(); });
      WriteTiles();
    }
    RETURN_IF_ERROR(flow_.status());
    for (TargetRun& target : targets_) RETURN_IF_ERROR(target.planned->writer->Finish());
    return absl::OkStatus();
  }

 private:
  absl::Status BeginTargets() {
    for (TargetRun& target : targets_) {
      RETURN_IF_ERROR(target.planned->writer->Begin(*target.sink));
      const std::vector<OutputTensor>& tensors = target.planned->plan.tensors;
      for (size_t i = 0; i < tensors.size() && !tensors[i].source.has_value(); ++i) {
        const EncodedTile tile = EncodeValues(tensors[i]);
        std::vector<Sha256> running;
        RETURN_IF_ERROR(AppendPlanes(target, i, tile, running));
        FinishDigests(target, i, running);
      }
    }
    return absl::OkStatus();
  }

  static absl::Status AppendPlanes(TargetRun& target, size_t tensor, const EncodedTile& tile,
                                   std::vector<Sha256>& running) {
    running.resize(tile.planes.size());
    for (size_t plane = 0; plane < tile.planes.size(); ++plane) {
      running[plane].Update(tile.planes[plane]);
      RETURN_IF_ERROR(target.planned->writer->Append(tensor, plane, tile.planes[plane]));
    }
    return absl::OkStatus();
  }

  // Ends the digests of a tensor whose last tile was appended.
  static void FinishDigests(TargetRun& target, size_t tensor, std::vector<Sha256>& running) {
    for (Sha256& digest : running) target.digests[tensor].push_back(digest.FinishHex());
    running.clear();
  }

  void ReadTiles() {
    int64_t sequence = 0;
    for (size_t source = 0; source < model_.tensors.size(); ++source) {
      const SourceTensor& tensor = model_.tensors[source].source;
      const int64_t step = StepOf(source);
      const int64_t row_bytes = tensor.codec->RowBytes(0, tensor.columns());
      for (int64_t row = 0; row < tensor.rows(); row += step) {
        if (!flow_.Reserve()) return;
        RawTile tile;
        tile.sequence = sequence++;
        tile.source = source;
        tile.first_row = row;
        tile.rows = std::min(step, tensor.rows() - row);
        tile.last_of_tensor = row + tile.rows == tensor.rows();
        tile.size = static_cast<size_t>(tile.rows * row_bytes);
        absl::Status status = TakeBuffer(tile);
        const uint64_t offset = tensor.offset + static_cast<uint64_t>(row * row_bytes);
        if (status.ok()) status = tensor.file->ReadAt(offset, tile.buffer->bytes().first(tile.size));
        if (!status.ok()) {
          return flow_.Fail(Annotate(status, absl::StrCat(tensor.path, ": tensor ", tensor.name)));
        }
        flow_.Push(std::move(tile));
      }
    }
    flow_.AllPushed(sequence);
  }

  int64_t StepOf(size_t source) const {
    const SourceTensor& tensor = model_.tensors[source].source;
    const int64_t unit = RowUnit(routes_[source], targets_);
    int64_t most = std::max<int64_t>(1, tensor.rows());
    for (const Route& route : routes_[source]) {
      const OutputTensor& output = targets_[route.target].planned->plan.tensors[route.tensor];
      if (output.importance != nullptr) most = std::min(most, output.rows_per_importance());
    }
    if (most == tensor.rows()) return TileRows(tensor.columns(), unit);
    return LargestDivisor(most, TileRows(tensor.columns(), unit));
  }

  // A used buffer where that is large enough: tiles of one model are much alike.
  absl::Status TakeBuffer(RawTile& tile) {
    tile.buffer = flow_.UsedBuffer();
    if (tile.buffer != nullptr && tile.buffer->bytes().size() >= tile.size) return absl::OkStatus();
    ASSIGN_OR_RETURN(tile.buffer, devices_.NewHostBuffer(tile.size));
    return absl::OkStatus();
  }

  void EncodeTiles() {
    absl::StatusOr<std::unique_ptr<quant::TileEncoder>> device = devices_.NewEncoder();
    if (!device.ok()) return flow_.Fail(device.status());
    OutputEncoder encoder(**device);
    while (std::optional<RawTile> raw = flow_.TakeRaw()) {
      FinishedTile finished = flow_.UsedTile();
      if (absl::Status status = EncodeTile(*raw, encoder, finished); !status.ok())
        return flow_.Fail(std::move(status));
      flow_.GiveBack(std::move(raw->buffer));
      flow_.PutFinished(raw->sequence, std::move(finished));
    }
  }

  absl::Status EncodeTile(const RawTile& raw, OutputEncoder& encoder, FinishedTile& finished) {
    const SourceTensor& tensor = model_.tensors[raw.source].source;
    const std::vector<Route>& routes = routes_[raw.source];
    finished.source = raw.source;
    finished.last_of_tensor = raw.last_of_tensor;
    finished.source_bytes = static_cast<int64_t>(raw.size);
    if (finished.encoded.size() < routes.size()) finished.encoded.resize(routes.size());
    std::vector<const OutputTensor*> outputs;
    for (const Route& route : routes)
      outputs.push_back(&targets_[route.target].planned->plan.tensors[route.tensor]);
    const auto begin = std::chrono::steady_clock::now();
    ASSIGN_OR_RETURN(std::optional<int64_t> bad,
                     encoder.Encode({tensor.codec, raw.buffer->bytes().first(raw.size), raw.first_row,
                                     raw.rows, tensor.columns()},
                                    outputs, std::span(finished.encoded).first(routes.size())));
    finished.seconds = SecondsSince(begin);
    if (!bad.has_value()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(tensor.path, ": tensor ", tensor.name,
                                                   " has a weight that is not finite at index ",
                                                   raw.first_row * tensor.columns() + *bad));
  }

  void WriteTiles() {
    std::vector<std::vector<Sha256>> running;  // of the tensor that is being written, for each route
    while (std::optional<FinishedTile> tile = flow_.TakeFinished()) {
      const std::vector<Route>& routes = routes_[tile->source];
      running.resize(std::max(running.size(), routes.size()));
      for (size_t r = 0; r < routes.size(); ++r) {
        TargetRun& target = targets_[routes[r].target];
        const auto begin = std::chrono::steady_clock::now();
        if (absl::Status status = AppendPlanes(target, routes[r].tensor, tile->encoded[r], running[r]);
            !status.ok()) {
          return flow_.Fail(std::move(status));
        }
        if (tile->last_of_tensor) FinishDigests(target, routes[r].tensor, running[r]);
        target.errors[routes[r].tensor].Add(tile->encoded[r].error);
        ReportEncoded(*target.planned->plan.tensors[routes[r].tensor].codec, tile->encoded[r]);
        target.seconds += tile->seconds / static_cast<double>(routes.size()) + SecondsSince(begin);
      }
      progress_.bytes_done += tile->source_bytes;
      progress_.tensors_done += tile->last_of_tensor ? 1 : 0;
      flow_.Release(*std::move(tile));
      if (options_.on_progress && !options_.on_progress(progress_))
        return flow_.Fail(absl::CancelledError("cancelled"));
    }
  }

  void ReportEncoded(const quant::Codec& codec, const EncodedTile& tile) {
    if (!options_.on_encoded) return;
    int64_t bytes = 0;
    for (const std::vector<std::byte>& plane : tile.planes) bytes += static_cast<int64_t>(plane.size());
    options_.on_encoded(tile.device, codec, bytes);
  }

  const Model& model_;
  std::span<TargetRun> targets_;
  const PipelineOptions& options_;
  DevicePolicy cpu_only_;
  DevicePolicy& devices_;
  const int threads_;
  std::vector<std::vector<Route>> routes_;
  TileFlow flow_;
  PipelineProgress progress_;
};

}  // namespace

absl::Status RunPipeline(const Model& model, std::span<TargetRun> targets, const PipelineOptions& options) {
  return Pipeline(model, targets, options).Run();
}

int64_t PipelineMemory(const Model& model, std::span<const std::unique_ptr<PlannedTarget>> targets,
                       int threads) {
  int64_t widest = 0;
  for (const ModelTensor& tensor : model.tensors) {
    widest =
        std::max(widest, std::min(tensor.source.elements(), std::max(kTileWeights, tensor.source.columns())));
  }
  // A tile holds its source bytes and every target's planes; an encoder also floats, rotated, rounded and
  // decoded.
  const int64_t tiles = 2 * threads + 2;
  constexpr int64_t kFloat = 4;
  return widest * kFloat * (tiles * (1 + static_cast<int64_t>(targets.size())) + 4 * threads);
}

}  // namespace quantd
