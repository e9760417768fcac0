#include "workers/engine/pipeline.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status.h"
#include "workers/engine/nibble_packer.h"
#include "workers/engine/schedule.h"
#include "workers/engine/tile_flow.h"
#include "workers/engine/transposition.h"
#include "workers/engine/write_behind.h"

namespace quantd {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// What the writer knows of the tensor of a target that it is writing.
struct WritingState {
  std::vector<Sha256> digests;                 // of its planes
  std::optional<Transposition> transposition;  // of a transposed tensor
  NibblePacker nibbles;                        // of its nibble plane
};

class Pipeline {
 public:
  Pipeline(const Model& model, std::span<TargetRun> targets, const PipelineOptions& options)
      : model_(model),
        targets_(targets),
        options_(options),
        cpu_only_(DeviceChoice::kCpu, nullptr),
        devices_(options.devices != nullptr ? *options.devices : cpu_only_),
        threads_(devices_.EncoderThreads(options.threads)),
        writing_(targets.size()),
        flow_(2 * threads_ + 2) {
    for (TargetRun& target : targets) {
      target.errors.resize(target.planned->plan.tensors.size());
      target.digests.resize(target.planned->plan.tensors.size());
    }
    progress_.tensors_total = static_cast<int64_t>(model.tensors.size());
    for (const ModelTensor& tensor : model.tensors)
      progress_.bytes_total += static_cast<int64_t>(tensor.source.bytes);
  }

  absl::Status Run() {
    std::vector<const OutputPlan*> plans;
    for (const TargetRun& target : targets_) plans.push_back(&target.planned->plan);
    ASSIGN_OR_RETURN(schedule_, MakeSchedule(model_, plans));
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
    for (size_t target = 0; target < targets_.size(); ++target) {
      RETURN_IF_ERROR(targets_[target].planned->writer->Begin(*targets_[target].sink));
      const std::vector<OutputTensor>& tensors = targets_[target].planned->plan.tensors;
      for (size_t i = 0; i < tensors.size() && tensors[i].sources.empty(); ++i)
        RETURN_IF_ERROR(WriteComputed(target, i));
    }
    return absl::OkStatus();
  }

  absl::Status WriteComputed(size_t target, size_t index) {
    const OutputTensor& tensor = targets_[target].planned->plan.tensors[index];
    const int64_t step = std::max<int64_t>(1, kTileWeights / std::max<int64_t>(1, tensor.columns()));
    for (int64_t row = 0; row < tensor.rows(); row += step) {
      const EncodedTile tile = EncodeComputed(tensor, row, std::min(step, tensor.rows() - row));
      RETURN_IF_ERROR(AppendPlanes(target, index, tile, row + step >= tensor.rows()));
    }
    FinishDigests(target, index);
    return absl::OkStatus();
  }

  absl::Status Append(size_t target, size_t tensor, size_t plane, std::span<const std::byte> bytes) {
    writing_[target].digests[plane].Update(bytes);
    return targets_[target].planned->writer->Append(tensor, plane, bytes);
  }

  absl::Status AppendPlanes(size_t target, size_t tensor, const EncodedTile& tile, bool is_last) {
    writing_[target].digests.resize(tile.planes.size());
    const std::optional<size_t> nibble_plane = targets_[target].planned->plan.tensors[tensor].nibble_plane;
    for (size_t plane = 0; plane < tile.planes.size(); ++plane) {
      std::span<const std::byte> bytes = tile.planes[plane];
      if (plane == nibble_plane) bytes = writing_[target].nibbles.Pack(bytes, is_last);
      RETURN_IF_ERROR(Append(target, tensor, plane, bytes));
    }
    return absl::OkStatus();
  }

  // A tensor that is stored columns first can be written only when its last row has come.
  absl::Status AppendTransposed(const Route& route, const EncodedTile& tile, int64_t rows, bool is_last) {
    WritingState& writing = writing_[route.target];
    if (!writing.transposition.has_value()) {
      const OutputTensor& tensor = targets_[route.target].planned->plan.tensors[route.tensor];
      ASSIGN_OR_RETURN(writing.transposition, Transposition::Begin(tensor.columns()));
    }
    RETURN_IF_ERROR(writing.transposition->Add(tile.planes[0], rows));
    if (!is_last) return absl::OkStatus();
    writing.digests.resize(1);
    RETURN_IF_ERROR(writing.transposition->Emit(
        [&](std::span<const std::byte> columns) { return Append(route.target, route.tensor, 0, columns); }));
    writing.transposition.reset();
    return absl::OkStatus();
  }

  // Ends the digests of a tensor whose last bytes were appended.
  void FinishDigests(size_t target, size_t tensor) {
    for (Sha256& digest : writing_[target].digests)
      targets_[target].digests[tensor].push_back(digest.FinishHex());
    writing_[target].digests.clear();
  }

  void ReadTiles() {
    int64_t sequence = 0;
    for (size_t s = 0; s < schedule_.size(); ++s) {
      const Segment& segment = schedule_[s];
      for (int64_t row = 0; row < segment.rows; row += segment.tile_rows) {
        if (!flow_.Reserve()) return;
        RawTile tile;
        tile.sequence = sequence++;
        tile.segment = s;
        tile.first_row = segment.first_row + row;
        tile.rows = std::min(segment.tile_rows, segment.rows - row);
        if (absl::Status status = ReadTile(model_.tensors[segment.source].source, tile); !status.ok())
          return flow_.Fail(std::move(status));
        flow_.Push(std::move(tile));
      }
    }
    flow_.AllPushed(sequence);
  }

  absl::Status ReadTile(const SourceTensor& tensor, RawTile& tile) {
    const int64_t row_bytes = tensor.codec->RowBytes(0, tensor.columns());
    tile.size = static_cast<size_t>(tile.rows * row_bytes);
    const uint64_t offset = tensor.offset + static_cast<uint64_t>(tile.first_row * row_bytes);
    tensor.file->WillRead(offset + kReadAheadBytes, tile.size);
    absl::Status status = TakeBuffer(tile);
    if (status.ok()) status = tensor.file->ReadAt(offset, tile.buffer->bytes().first(tile.size));
    if (status.ok()) return status;
    return Annotate(status, absl::StrCat(tensor.path, ": tensor ", tensor.name));
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
    const Segment& segment = schedule_[raw.segment];
    const SourceTensor& tensor = model_.tensors[segment.source].source;
    const size_t routes = segment.routes.size();
    finished.segment = raw.segment;
    finished.rows = raw.rows;
    finished.ends_segment = raw.first_row + raw.rows == segment.first_row + segment.rows;
    finished.source_bytes = static_cast<int64_t>(raw.size);
    if (finished.encoded.size() < routes) finished.encoded.resize(routes);
    std::vector<OutputRows> outputs;
    for (const Route& route : segment.routes) {
      outputs.push_back({&targets_[route.target].planned->plan.tensors[route.tensor],
                         route.output_row + raw.first_row - segment.first_row, route.order});
    }
    const auto begin = std::chrono::steady_clock::now();
    ASSIGN_OR_RETURN(
        std::optional<int64_t> bad,
        encoder.Encode({tensor.codec, raw.buffer->bytes().first(raw.size), raw.rows, tensor.columns()},
                       outputs, std::span(finished.encoded).first(routes)));
    finished.seconds = SecondsSince(begin);
    if (!bad.has_value()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(tensor.path, ": tensor ", tensor.name,
                                                   " has a weight that is not finite at index ",
                                                   raw.first_row * tensor.columns() + *bad));
  }

  void WriteTiles() {
    while (std::optional<FinishedTile> tile = flow_.TakeFinished()) {
      const Segment& segment = schedule_[tile->segment];
      for (size_t r = 0; r < segment.routes.size(); ++r) {
        if (absl::Status status = WriteRoute(segment.routes[r], *tile, tile->encoded[r]); !status.ok())
          return flow_.Fail(std::move(status));
      }
      const SourceTensor& source = model_.tensors[segment.source].source;
      progress_.bytes_done += tile->source_bytes;
      progress_.tensors_done +=
          tile->ends_segment && segment.first_row + segment.rows == source.rows() ? 1 : 0;
      flow_.Release(*std::move(tile));
      if (options_.on_progress && !options_.on_progress(progress_))
        return flow_.Fail(absl::CancelledError("cancelled"));
    }
  }

  absl::Status WriteRoute(const Route& route, const FinishedTile& tile, const EncodedTile& encoded) {
    const auto begin = std::chrono::steady_clock::now();
    TargetRun& target = targets_[route.target];
    const OutputTensor& tensor = target.planned->plan.tensors[route.tensor];
    const bool is_last = tile.ends_segment && route.ends_tensor;
    RETURN_IF_ERROR(tensor.transposed ? AppendTransposed(route, encoded, tile.rows, is_last)
                                      : AppendPlanes(route.target, route.tensor, encoded, is_last));
    if (is_last) FinishDigests(route.target, route.tensor);
    target.errors[route.tensor].Add(encoded.error);
    ReportEncoded(*tensor.codec, encoded);
    const double routes = static_cast<double>(schedule_[tile.segment].routes.size());
    target.seconds += tile.seconds / routes + SecondsSince(begin);
    return absl::OkStatus();
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
  std::vector<Segment> schedule_;
  std::vector<WritingState> writing_;  // one for each target
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
  int64_t files = 0, bands = 0;
  for (const std::unique_ptr<PlannedTarget>& target : targets) {
    files += static_cast<int64_t>(kWriteBehindBytes * target->writer->Files().size());
    if (target->plan.HasTransposed()) bands += 2 * kTransposedBandBytes;
  }
  return widest * kFloat * (tiles * (1 + static_cast<int64_t>(targets.size())) + 4 * threads) + files + bands;
}

}  // namespace quantd
