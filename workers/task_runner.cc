#include "workers/task_runner.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "workers/engine/job.h"
#include "workers/models/model.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

// A file that reports what is read from it.
class ReportingFile final : public RandomAccessFile {
 public:
  ReportingFile(std::unique_ptr<RandomAccessFile> file, const std::function<void(int64_t)>& on_read)
      : file_(std::move(file)), on_read_(on_read) {}

  uint64_t size() const override { return file_->size(); }
  void WillRead(uint64_t offset, uint64_t length) const override { file_->WillRead(offset, length); }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    RETURN_IF_ERROR(file_->ReadAt(offset, out));
    if (on_read_) on_read_(static_cast<int64_t>(out.size()));
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<RandomAccessFile> file_;
  const std::function<void(int64_t)>& on_read_;
};

// `options` outlives the files.
absl::StatusOr<CheckpointFiles> OpenFiles(const v1::Assignment& assignment, ObjectStore& store,
                                          const TaskOptions& options) {
  CheckpointFiles files;
  for (const v1::SourceFile& source : assignment.files()) {
    ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, store.OpenForRead(source.object_key()));
    files.Add(source.file().path(), std::make_unique<ReportingFile>(std::move(file), options.on_read));
  }
  return files;
}

std::vector<TargetSpec> ReadTargets(const v1::Assignment& assignment) {
  std::vector<TargetSpec> targets;
  for (const v1::Target& target : assignment.targets()) {
    TargetSpec spec{target.format(), target.scheme(), {}};
    for (const v1::TargetOption& option : target.options())
      spec.options.emplace_back(option.name(), option.value());
    targets.push_back(std::move(spec));
  }
  return targets;
}

v1::ModelSummary Summarize(const Model& model) {
  v1::ModelSummary summary;
  summary.set_source_format(model.from_gguf() ? "gguf" : "huggingface");
  summary.set_architecture(std::string(model.architecture->name));
  summary.set_parameter_count(model.ParameterCount());
  for (const ModelTensor& tensor : model.tensors) {
    v1::ModelTensor* out = summary.add_tensors();
    out->set_name(tensor.source.name);
    out->set_type(std::string(tensor.source.codec->name()));
    out->mutable_shape()->Assign(tensor.source.shape.begin(), tensor.source.shape.end());
    out->set_file(tensor.source.path);
  }
  const HyperParameters& p = model.parameters;
  auto& facts = *summary.mutable_facts();
  facts["layers"] = absl::StrCat(p.layers);
  facts["hidden_size"] = absl::StrCat(p.hidden);
  facts["heads"] = absl::StrCat(p.heads);
  facts["key_value_heads"] = absl::StrCat(p.key_value_heads);
  facts["vocabulary"] = absl::StrCat(p.vocabulary);
  facts["context"] = absl::StrCat(p.context);
  return summary;
}

std::string SourceNames(const Model& model, const OutputTensor& output) {
  return absl::StrJoin(output.sources, ", ", [&](std::string* out, const SourceSlice& slice) {
    absl::StrAppend(out, model.tensors[slice.tensor].source.name);
  });
}

v1::Plan DescribePlan(const Model& model, const JobPlan& plan, const v1::Assignment& assignment) {
  v1::Plan out;
  out.set_memory_bytes(plan.memory_bytes);
  out.set_disk_bytes(plan.disk_bytes);
  out.set_source_bytes(plan.source_bytes);
  for (size_t t = 0; t < plan.targets.size(); ++t) {
    const OutputPlan& target = plan.targets[t]->plan;
    v1::TargetPlan* planned = out.add_targets();
    *planned->mutable_target() = assignment.targets(static_cast<int>(t));
    planned->set_directory(plan.directories[t]);
    planned->set_bits_per_weight(target.BitsPerWeight());
    for (const OutputTensor& tensor : target.tensors) {
      v1::PlannedTensor* listed = planned->add_tensors();
      listed->set_name(tensor.name);
      listed->set_type(std::string(tensor.codec->name()));
      listed->mutable_shape()->Assign(tensor.shape.begin(), tensor.shape.end());
      listed->set_bytes(tensor.bytes());
      if (!tensor.sources.empty()) listed->set_source(SourceNames(model, tensor));
    }
    for (const FileSize& file : plan.targets[t]->writer->Files()) {
      v1::PlannedFile* listed = planned->add_files();
      listed->set_path(file.path);
      listed->set_size(file.bytes);
    }
    for (const SidecarFile& sidecar : target.sidecars) {
      v1::PlannedFile* listed = planned->add_files();
      listed->set_path(sidecar.path);
      listed->set_size(static_cast<int64_t>(sidecar.content.size()));
    }
    planned->mutable_notes()->Assign(target.notes.begin(), target.notes.end());
  }
  return out;
}

v1::JobProgress ToProto(const JobProgressReport& report) {
  v1::JobProgress out;
  out.set_stage(report.stage);
  out.set_tensors_done(report.progress.tensors_done);
  out.set_tensors_total(report.progress.tensors_total);
  out.set_bytes_done(report.progress.bytes_done);
  out.set_bytes_total(report.progress.bytes_total);
  return out;
}

v1::JobResult DescribeResult(const std::vector<TargetOutcome>& outcomes, const v1::Assignment& assignment) {
  v1::JobResult out;
  for (size_t t = 0; t < outcomes.size(); ++t) {
    const TargetOutcome& outcome = outcomes[t];
    v1::TargetResult* result = out.add_targets();
    *result->mutable_target() = assignment.targets(static_cast<int>(t));
    result->set_directory(outcome.directory);
    for (const StoredFile& file : outcome.files) {
      v1::ArtifactFile* listed = result->add_files();
      listed->set_path(file.path);
      listed->set_sha256(file.sha256);
      listed->set_size(file.size);
      v1::PublishedObject* object = out.add_objects();
      object->set_object_key(file.object_key);
      object->set_sha256(file.sha256);
      object->set_size(file.size);
    }
    result->set_bits_per_weight(outcome.bits_per_weight);
    result->set_relative_error(outcome.relative_error);
    result->set_max_error(outcome.max_error);
    result->set_seconds(outcome.seconds);
    result->set_tensor_count(outcome.tensor_count);
    result->mutable_notes()->Assign(outcome.notes.begin(), outcome.notes.end());
  }
  return out;
}

absl::Status Quantize(const Model& model, const v1::Assignment& assignment, ObjectStore& store,
                      const TaskOptions& options, v1::CompleteRequest& out) {
  JobOptions job;
  job.threads = options.threads;
  job.devices = options.devices;
  job.artifact_prefix = assignment.artifact_prefix();
  for (const v1::SourceFile& source : assignment.files()) {
    job.sources.push_back({source.file().path(), source.file().sha256(), source.file().size()});
  }
  job.on_encoded = options.on_encoded;
  job.on_progress = [&](const JobProgressReport& report) { return options.on_progress(ToProto(report)); };
  ASSIGN_OR_RETURN(std::vector<TargetOutcome> outcomes, RunJob(model, ReadTargets(assignment), store, job));
  *out.mutable_job() = DescribeResult(outcomes, assignment);
  return absl::OkStatus();
}

}  // namespace

v1::Engine DescribeEngine(const DevicePolicy& devices) {
  v1::Engine engine;
  engine.set_version(kEngineVersion);
  for (const FormatInfo& info : Formats()) {
    v1::Format* format = engine.add_formats();
    format->set_name(info.name);
    format->set_runtime(info.runtime);
    for (const SchemeInfo& scheme : info.schemes) {
      v1::Scheme* listed = format->add_schemes();
      listed->set_name(scheme.name);
      listed->set_bits_per_weight(scheme.bits_per_weight);
      listed->set_description(scheme.description);
    }
    for (const OptionInfo& option : info.options) {
      v1::OptionSpec* listed = format->add_options();
      listed->set_name(option.name);
      listed->set_description(option.description);
      listed->set_repeated(option.repeated);
      listed->mutable_values()->Assign(option.values.begin(), option.values.end());
    }
  }
  for (const Architecture* architecture : AllArchitectures())
    engine.add_architectures(std::string(architecture->name));
  for (const quant::Codec* codec : quant::AllCodecs()) {
    if (GgufTensorType(codec->name()) != kNoGgufTensorType)
      engine.add_source_types(std::string(codec->name()));
  }
  for (const DevicePolicy::DeviceInfo& device : devices.devices()) {
    engine.add_devices(device.kind);
    engine.add_device_names(device.name);
  }
  for (const quant::Codec* codec : quant::AllCodecs()) engine.add_codecs(std::string(codec->name()));
  return engine;
}

absl::Status RunTask(const v1::Assignment& assignment, ObjectStore& store, const TaskOptions& options,
                     v1::CompleteRequest& out) {
  ASSIGN_OR_RETURN(CheckpointFiles files, OpenFiles(assignment, store, options));
  ASSIGN_OR_RETURN(Model model, OpenModel(files, assignment.model_display_name()));
  switch (assignment.kind()) {
    case v1::INSPECT:
      *out.mutable_summary() = Summarize(model);
      return absl::OkStatus();
    case v1::PLAN: {
      ASSIGN_OR_RETURN(JobPlan plan, PlanJob(model, ReadTargets(assignment), {.threads = options.threads}));
      *out.mutable_plan() = DescribePlan(model, plan, assignment);
      return absl::OkStatus();
    }
    case v1::QUANTIZE:
      return Quantize(model, assignment, store, options, out);
    default:
      return absl::UnimplementedError("a task of a kind that this worker does not know");
  }
}

}  // namespace quantd
