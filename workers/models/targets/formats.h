// The formats that target_list.cc lists. Options and scheme names are checked against Info() before Plan is
// called.
#pragma once

#include <map>
#include <string>

#include "workers/models/targets/target.h"

namespace quantd {

FormatInfo GgufFormatInfo();
absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanGguf(const Model& model, const TargetSpec& spec);

FormatInfo MlxFormatInfo();
absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanMlx(const Model& model, const TargetSpec& spec);

FormatInfo OnnxFormatInfo();
absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanOnnx(const Model& model, const TargetSpec& spec);

FormatInfo OpenVinoFormatInfo();
absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanOpenVino(const Model& model, const TargetSpec& spec,
                                                            const PlanOptions& options);

FormatInfo SafetensorsFormatInfo();
absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanSafetensors(const Model& model, const TargetSpec& spec);

// The value of an option, or `otherwise`.
std::string OptionOr(const TargetSpec& spec, const std::string& name, const std::string& otherwise);

}  // namespace quantd
