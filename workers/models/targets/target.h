// From a target's text to what will be written. A target is FORMAT:SCHEME with options; each format plans its
// own.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/model_writer.h"
#include "workers/formats/output_plan.h"
#include "workers/models/model.h"

namespace quantd {

struct TargetSpec {
  std::string format;
  std::string scheme;
  std::vector<std::pair<std::string, std::string>> options;
};

// A plan and the writer that follows it.
struct PlannedTarget {
  OutputPlan plan;
  std::unique_ptr<ModelWriter> writer;  // refers to `plan`
};

struct SchemeInfo {
  std::string name;
  double bits_per_weight;  // without fallbacks and tensors that stay as they are
  std::string description;
};

struct OptionInfo {
  std::string name;
  std::string description;
  bool repeated = false;
  std::vector<std::string> values;  // empty: too many to list
};

struct FormatInfo {
  std::string name;
  std::string runtime;
  std::vector<SchemeInfo> schemes;
  std::vector<OptionInfo> options;
};

// What formats may use that read weights to choose their types.
struct PlanOptions {
  int threads = 1;
  // Called often, from the thread that plans. Returning false cancels. May be empty.
  std::function<bool()> keep_going = nullptr;
};

// Everything that PlanTarget takes.
std::span<const FormatInfo> Formats();

// Plans one target. Errors carry the field that is wrong ("format", "scheme", "options[NAME]");
// INVALID_ARGUMENT for what the target says, FAILED_PRECONDITION for what the model can't do, CANCELLED when
// keep_going said so. `model` outlives the result.
absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanTarget(const Model& model, const TargetSpec& spec,
                                                          const PlanOptions& options = {});

}  // namespace quantd
