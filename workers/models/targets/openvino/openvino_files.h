// The small files of an OpenVINO folder.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/output_plan.h"
#include "workers/models/model.h"
#include "workers/models/targets/openvino/recipe.h"

namespace quantd {

// config.json, the tokenizer's files, and for quantized models openvino_config.json. Errors are
// HuggingFaceConfig's and TokenizerSidecars'.
absl::StatusOr<std::vector<SidecarFile>> MakeOpenVinoFiles(const Model& model, const std::string& scheme,
                                                           const OpenVinoRecipe& recipe);

}  // namespace quantd
