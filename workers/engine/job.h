// A whole job: plan every target, one pass over the source, verification, manifests.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/objects/object_store.h"
#include "workers/engine/artifact_store.h"
#include "workers/engine/pipeline.h"
#include "workers/models/model.h"
#include "workers/models/targets/target.h"

namespace quantd {

// Results are a function of the sources, the targets and this.
inline constexpr char kEngineVersion[] = "1";

inline constexpr char kManifestName[] = "quantd-manifest.json";

// A file of the checkpoint, for the manifest.
struct SourceDigest {
  std::string path;
  std::string sha256;
  int64_t size = 0;
};

struct JobPlan {
  std::vector<std::unique_ptr<PlannedTarget>> targets;
  std::vector<std::string>
      directories;  // "gguf-Q4_K_M", a second one of the same format and scheme "gguf-Q4_K_M-2"
  int64_t memory_bytes = 0;
  int64_t disk_bytes = 0;
  int64_t source_bytes = 0;
};

// `options.threads` also decides how much memory the job will take. Errors of target i carry the field
// "targets[i].…".
absl::StatusOr<JobPlan> PlanJob(const Model& model, const std::vector<TargetSpec>& targets,
                                const PlanOptions& options);

struct TargetOutcome {
  std::string directory;
  std::vector<StoredFile> files;
  double bits_per_weight = 0.0;
  double relative_error = 0.0;
  double max_error = 0.0;
  double seconds = 0.0;
  int tensor_count = 0;
  std::vector<std::string> notes;
};

struct JobProgressReport {
  std::string stage;  // "plan", "quantize", "verify"
  PipelineProgress progress;
};

struct JobOptions {
  int threads = 1;
  DevicePolicy* devices = nullptr;  // where to encode; null: the CPU
  std::string artifact_prefix;      // objects go to PREFIX/DIRECTORY/PATH
  std::vector<SourceDigest> sources;
  // Called often, from one thread. Returning false cancels.
  std::function<bool(const JobProgressReport&)> on_progress;
  // As PipelineOptions::on_encoded.
  std::function<void(std::string_view device, const quant::Codec& codec, int64_t bytes)> on_encoded;
};

// One outcome for each target. On any error no object is left below the prefix. RESOURCE_EXHAUSTED when the
// store has not enough room, before or while writing; INVALID_ARGUMENT and FAILED_PRECONDITION are the
// model's or the request's.
absl::StatusOr<std::vector<TargetOutcome>> RunJob(const Model& model, const std::vector<TargetSpec>& targets,
                                                  ObjectStore& store, const JobOptions& options);

}  // namespace quantd
