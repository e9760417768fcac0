#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "workers/models/targets/formats.h"
#include "workers/models/targets/target.h"

namespace quantd {
namespace {

using Planned = absl::StatusOr<std::unique_ptr<PlannedTarget>>;
using Plan = Planned (*)(const Model&, const TargetSpec&, const PlanOptions&);

// Of a format that plans without reading weights.
template <Planned (*plan)(const Model&, const TargetSpec&)>
Planned PlanFromHeaders(const Model& model, const TargetSpec& spec, const PlanOptions&) {
  return plan(model, spec);
}

constexpr char kAllowRequantize[] = "allow_requantize";

struct ListedFormat {
  FormatInfo info;
  Plan plan;
};

const std::vector<ListedFormat>& List() {
  static const auto& list = *[] {
    auto* formats = new std::vector<ListedFormat>{
        {GgufFormatInfo(), PlanFromHeaders<PlanGguf>},
        {MlxFormatInfo(), PlanFromHeaders<PlanMlx>},
        {OnnxFormatInfo(), PlanFromHeaders<PlanOnnx>},
        {OpenVinoFormatInfo(), PlanOpenVino},
        {SafetensorsFormatInfo(), PlanFromHeaders<PlanSafetensors>},
    };
    for (ListedFormat& format : *formats) {
      format.info.options.push_back({kAllowRequantize,
                                     "take sources that are quantized already, at a loss (default false)",
                                     false,
                                     {"true", "false"}});
    }
    return formats;
  }();
  return list;
}

template <typename Range>
std::string Names(const Range& range) {
  return absl::StrJoin(range, ", ",
                       [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.name); });
}

template <typename Range>
auto Find(const Range& range, const std::string& name) {
  return std::find_if(range.begin(), range.end(), [&](const auto& entry) { return entry.name == name; });
}

absl::Status CheckOptions(const FormatInfo& format, const TargetSpec& spec) {
  std::set<std::string> seen;
  for (const auto& [name, value] : spec.options) {
    const std::string field = absl::StrCat("options[", name, "]");
    const auto option = Find(format.options, name);
    if (option == format.options.end()) {
      return InvalidField(
          field, absl::StrCat(format.name, " has no such option; known are ", Names(format.options)));
    }
    if (!seen.insert(name).second && !option->repeated) return InvalidField(field, "is given twice");
    if (!option->values.empty() &&
        std::find(option->values.begin(), option->values.end(), value) == option->values.end()) {
      return InvalidField(field,
                          absl::StrCat("\"", value, "\" is none of ", absl::StrJoin(option->values, ", ")));
    }
  }
  return absl::OkStatus();
}

// What was quantized once has lost what a better type could have kept, so it takes the user's word.
absl::Status CheckRequantization(const Model& model, const TargetSpec& spec, const OutputPlan& plan) {
  if (OptionOr(spec, kAllowRequantize, "false") == "true") return absl::OkStatus();
  for (const OutputTensor& output : plan.tensors) {
    for (const SourceSlice& slice : output.sources) {
      const SourceTensor& source = model.tensors[slice.tensor].source;
      if (!source.codec->IsQuantized() || output.CopiesRowsOf(*source.codec, slice.row_order)) continue;
      return PreconditionFailed(
          source.path,
          absl::StrCat("tensor ", source.name, " is quantized already (", std::string(source.codec->name()),
                       "): start from the original, or set allow_requantize=true and lose precision twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const FormatInfo> Formats() {
  static const auto& infos = *[] {
    auto* all = new std::vector<FormatInfo>;
    for (const ListedFormat& format : List()) all->push_back(format.info);
    return all;
  }();
  return infos;
}

std::string OptionOr(const TargetSpec& spec, const std::string& name, const std::string& otherwise) {
  for (const auto& [option, value] : spec.options) {
    if (option == name) return value;
  }
  return otherwise;
}

absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanTarget(const Model& model, const TargetSpec& spec,
                                                          const PlanOptions& options) {
  for (const ListedFormat& format : List()) {
    if (format.info.name != spec.format) continue;
    if (Find(format.info.schemes, spec.scheme) == format.info.schemes.end()) {
      return InvalidField("scheme", absl::StrCat("\"", spec.scheme, "\" is no scheme of ", spec.format,
                                                 "; known are ", Names(format.info.schemes)));
    }
    RETURN_IF_ERROR(CheckOptions(format.info, spec));
    ASSIGN_OR_RETURN(std::unique_ptr<PlannedTarget> target, format.plan(model, spec, options));
    RETURN_IF_ERROR(CheckRequantization(model, spec, target->plan));
    return target;
  }
  return InvalidField("format",
                      absl::StrCat("\"", spec.format, "\" is not known; known are ", Names(Formats())));
}

}  // namespace quantd
