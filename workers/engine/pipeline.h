// Reads every source tensor once and writes all targets from it.
//
// A reader cuts tensors into tiles (schedule.h: whole rows, at most kTileWeights weights unless one row is
// longer), encoders turn tiles into bytes for every target, a writer appends them in order. The three
// overlap; at most 2 * threads + 2 tiles exist at a time, whatever the model's size.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "workers/engine/device_policy.h"
#include "workers/engine/schedule.h"
#include "workers/engine/tile_encoder.h"
#include "workers/engine/verification.h"
#include "workers/formats/artifact_sink.h"
#include "workers/models/model.h"
#include "workers/models/targets/target.h"

namespace quantd {

// A target while it is written.
struct TargetRun {
  const PlannedTarget* planned = nullptr;
  ArtifactSink* sink = nullptr;
  std::vector<quant::EncodingError> errors;  // out: one for each tensor of the plan
  PlaneDigests digests;                      // out: of what was given to the writer
  double seconds = 0.0;                      // out: of encoding and writing, over all threads
};

struct PipelineProgress {
  int64_t tensors_done = 0;
  int64_t tensors_total = 0;
  int64_t bytes_done = 0;
  int64_t bytes_total = 0;
};

struct PipelineOptions {
  int threads = 1;                  // encoders
  DevicePolicy* devices = nullptr;  // where to encode; null: the CPU. Outlives the run
  // Called by the writer after each tile. Returning false cancels.
  std::function<bool(const PipelineProgress&)> on_progress;
  // Called by the writer for what a tile became, before on_progress: so many bytes more by that kind of
  // device
  // ("cpu", "cuda") and codec. May be empty.
  std::function<void(std::string_view device, const quant::Codec& codec, int64_t bytes)> on_encoded;
};

// INVALID_ARGUMENT names tensor and index of a weight that is not finite; CANCELLED when on_progress said so;
// other errors are the store's. All writers were begun and finished when it is OK.
absl::Status RunPipeline(const Model& model, std::span<TargetRun> targets, const PipelineOptions& options);

// Most bytes that tiles of this model take at a time.
int64_t PipelineMemory(const Model& model, std::span<const std::unique_ptr<PlannedTarget>> targets,
                       int threads);

}  // namespace quantd
