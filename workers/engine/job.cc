#include "workers/engine/job.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"

namespace quantd {
namespace {

absl::Status InTarget(size_t index, const absl::Status& status) {
  const std::optional<std::string> field = FieldOf(status);
  const std::string where = absl::StrCat("targets[", index, "]");
  if (!field.has_value()) return Annotate(status, where);
  const std::string message(status.message());
  return InvalidField(absl::StrCat(where, ".", *field),
                      message.substr(std::min(message.size(), field->size() + 2)));
}

std::string MakeManifest(const TargetSpec& spec, const OutputPlan& plan, const TargetRun& run,
                         const ArtifactStore& artifact, const JobOptions& options) {
  Json sources = Json::array(), recipe_options = Json::array(), tensors = Json::array(),
       files = Json::array();
  for (const SourceDigest& source : options.sources) {
    sources.push_back({{"path", source.path}, {"sha256", source.sha256}, {"size", source.size}});
  }
  for (const auto& [name, value] : spec.options) recipe_options.push_back({{"name", name}, {"value", value}});
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const OutputTensor& tensor = plan.tensors[i];
    Json digests = Json::object();
    for (size_t plane = 0; plane < run.digests[i].size(); ++plane)
      digests[run.planned->writer->Describe(i, plane).name] = run.digests[i][plane];
    tensors.push_back({{"name", tensor.name},
                       {"type", tensor.codec->name()},
                       {"shape", tensor.shape},
                       {"bytes", tensor.bytes()},
                       {"sha256", digests},
                       {"relative_error", run.errors[i].Relative()},
                       {"max_error", run.errors[i].largest}});
  }
  for (const StoredFile& file : artifact.files()) {
    files.push_back({{"path", file.path}, {"sha256", file.sha256}, {"size", file.size}});
  }
  const Json manifest = {
      {"engine_version", kEngineVersion},
      {"recipe", {{"format", spec.format}, {"scheme", spec.scheme}, {"options", recipe_options}}},
      {"sources", sources},
      {"files", files},
      {"tensors", tensors},
      {"notes", plan.notes}};
  return manifest.dump(2) + "\n";
}

class JobRunner {
 public:
  JobRunner(const Model& model, const std::vector<TargetSpec>& specs, ObjectStore& store,
            const JobOptions& options)
      : model_(model), specs_(specs), store_(store), options_(options) {}

  absl::StatusOr<std::vector<TargetOutcome>> Run() {
    RETURN_IF_ERROR(Report("plan"));
    ASSIGN_OR_RETURN(plan_,
                     PlanJob(model_, specs_, {options_.threads, [this] { return Report("plan").ok(); }}));
    RETURN_IF_ERROR(CheckRoom());
    for (size_t i = 0; i < specs_.size(); ++i) {
      artifacts_.push_back(std::make_unique<ArtifactStore>(
          store_, absl::StrCat(options_.artifact_prefix, "/", plan_.directories[i])));
      runs_.push_back({plan_.targets[i].get(), artifacts_.back().get(), {}, {}, 0.0});
    }
    RETURN_IF_ERROR(Quantize());
    std::vector<TargetOutcome> outcomes;
    for (size_t i = 0; i < specs_.size(); ++i) {
      ASSIGN_OR_RETURN(TargetOutcome outcome, FinishTarget(i));
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }

 private:
  absl::Status Report(const char* stage) {
    if (options_.on_progress && !options_.on_progress({stage, progress_}))
      return absl::CancelledError("cancelled");
    return absl::OkStatus();
  }

  absl::Status CheckRoom() {
    ASSIGN_OR_RETURN(std::optional<uint64_t> room, store_.FreeBytes());
    if (!room.has_value() || *room >= static_cast<uint64_t>(plan_.disk_bytes)) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("the artifacts need ", plan_.disk_bytes,
                                                     " bytes, but the object store has room for ", *room));
  }

  absl::Status Quantize() {
    PipelineOptions pipeline;
    pipeline.threads = options_.threads;
    pipeline.devices = options_.devices;
    pipeline.on_encoded = options_.on_encoded;
    pipeline.on_progress = [&](const PipelineProgress& progress) {
      progress_ = progress;
      return Report("quantize").ok();
    };
    return RunPipeline(model_, runs_, pipeline);
  }

  absl::StatusOr<TargetOutcome> FinishTarget(size_t index) {
    const OutputPlan& plan = plan_.targets[index]->plan;
    ArtifactStore& artifact = *artifacts_[index];
    for (const SidecarFile& sidecar : plan.sidecars)
      RETURN_IF_ERROR(artifact.Put(sidecar.path, sidecar.content));
    RETURN_IF_ERROR(VerifyTarget(*plan_.targets[index], runs_[index].digests, artifact,
                                 [this] { return Report("verify"); }));
    RETURN_IF_ERROR(
        artifact.Put(kManifestName, MakeManifest(specs_[index], plan, runs_[index], artifact, options_)));
    TargetOutcome outcome;
    outcome.directory = plan_.directories[index];
    outcome.files = artifact.files();
    outcome.bits_per_weight = plan.BitsPerWeight();
    quant::EncodingError total;
    for (const quant::EncodingError& error : runs_[index].errors) total.Add(error);
    outcome.relative_error = total.Relative();
    outcome.max_error = total.largest;
    outcome.seconds = runs_[index].seconds;
    outcome.tensor_count = static_cast<int>(plan.tensors.size());
    outcome.notes = plan.notes;
    return outcome;
  }

  const Model& model_;
  const std::vector<TargetSpec>& specs_;
  ObjectStore& store_;
  const JobOptions& options_;
  JobPlan plan_;
  std::vector<std::unique_ptr<ArtifactStore>> artifacts_;
  std::vector<TargetRun> runs_;
  PipelineProgress progress_;
};

}  // namespace

absl::StatusOr<JobPlan> PlanJob(const Model& model, const std::vector<TargetSpec>& targets,
                                const PlanOptions& options) {
  JobPlan job;
  std::map<std::string, int> seen;
  for (size_t i = 0; i < targets.size(); ++i) {
    absl::StatusOr<std::unique_ptr<PlannedTarget>> planned = PlanTarget(model, targets[i], options);
    if (!planned.ok()) return InTarget(i, planned.status());
    const std::string directory = absl::StrCat(targets[i].format, "-", targets[i].scheme);
    const int count = ++seen[directory];
    job.directories.push_back(count == 1 ? directory : absl::StrCat(directory, "-", count));
    for (const FileSize& file : (*planned)->writer->Files()) job.disk_bytes += file.bytes;
    for (const SidecarFile& sidecar : (*planned)->plan.sidecars)
      job.disk_bytes += static_cast<int64_t>(sidecar.content.size());
    job.targets.push_back(*std::move(planned));
  }
  for (const ModelTensor& tensor : model.tensors)
    job.source_bytes += static_cast<int64_t>(tensor.source.bytes);
  job.memory_bytes = PipelineMemory(model, job.targets, options.threads);
  return job;
}

absl::StatusOr<std::vector<TargetOutcome>> RunJob(const Model& model, const std::vector<TargetSpec>& targets,
                                                  ObjectStore& store, const JobOptions& options) {
  // Cleaning up below an empty prefix would empty the store.
  if (options.artifact_prefix.empty()) return absl::InternalError("a job has no artifact prefix");
  absl::StatusOr<std::vector<TargetOutcome>> outcomes = JobRunner(model, targets, store, options).Run();
  if (outcomes.ok()) return outcomes;
  if (absl::Status cleanup = RemoveObjects(store, options.artifact_prefix); !cleanup.ok()) {
    return Annotate(
        outcomes.status(),
        absl::StrCat("(and what was written could not be removed: ", std::string(cleanup.message()), ")"));
  }
  return outcomes;
}

}  // namespace quantd
