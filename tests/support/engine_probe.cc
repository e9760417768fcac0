// Runs one job without a server: `engine_probe CHECKPOINT NAME STORE FORMAT:SCHEME[,option=value…] …`.
// Artifacts lie under STORE/objects/job. For tests that compare files; prints one line for each target. Where
// STORE is `plan` it runs nothing and prints TARGET-NUMBER TENSOR TYPE for each tensor of each target.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "storage/objects/open_store.h"
#include "workers/engine/job.h"

namespace quantd {
namespace {

TargetSpec ParseTarget(const std::string& text) {
  TargetSpec spec;
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  const std::pair<std::string, std::string> head = absl::StrSplit(parts[0], absl::MaxSplits(':', 1));
  spec.format = head.first;
  spec.scheme = head.second;
  for (size_t i = 1; i < parts.size(); ++i)
    spec.options.push_back(absl::StrSplit(parts[i], absl::MaxSplits('=', 1)));
  return spec;
}

absl::Status PrintPlan(const Model& model, const std::vector<TargetSpec>& targets) {
  ASSIGN_OR_RETURN(JobPlan plan, PlanJob(model, targets, {}));
  for (size_t t = 0; t < plan.targets.size(); ++t) {
    for (const OutputTensor& tensor : plan.targets[t]->plan.tensors)
      std::printf("%zu %s %s\n", t, tensor.name.c_str(), std::string(tensor.codec->name()).c_str());
  }
  return absl::OkStatus();
}

absl::Status Run(int argc, char** argv) {
  if (argc < 5) return absl::InvalidArgumentError("usage: engine_probe CHECKPOINT NAME STORE TARGET…");
  ASSIGN_OR_RETURN(CheckpointFiles files, OpenLocalCheckpoint(argv[1]));
  ASSIGN_OR_RETURN(Model model, OpenModel(files, argv[2]));
  std::vector<TargetSpec> targets;
  for (int i = 4; i < argc; ++i) targets.push_back(ParseTarget(argv[i]));
  if (argv[3] == std::string("plan")) return PrintPlan(model, targets);
  ASSIGN_OR_RETURN(std::unique_ptr<ObjectStore> store, OpenObjectStore(std::string("file:") + argv[3]));
  JobOptions options;
  options.threads = 2;
  options.artifact_prefix = "job";
  ASSIGN_OR_RETURN(std::vector<TargetOutcome> outcomes, RunJob(model, targets, *store, options));
  for (const TargetOutcome& outcome : outcomes) {
    std::printf("%s %.4f bits, error %.5f, largest %.5f, %.2f s\n", outcome.directory.c_str(),
                outcome.bits_per_weight, outcome.relative_error, outcome.max_error, outcome.seconds);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) {
  const absl::Status status = quantd::Run(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "engine_probe: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
