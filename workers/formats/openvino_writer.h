// OpenVINO models: a text that describes the graph (openvino_model.xml), and the bytes of its constants
// (openvino_model.bin).
//
// The file of bytes has no header. It begins with the constants that the graph carries itself, equal ones
// once; then come the planes of the artifact's tensors, in the order of the plan. Everything begins at a
// multiple of 64, so that a runtime that maps the file finds aligned weights.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/model_writer.h"
#include "workers/formats/openvino_ir.h"

namespace quantd {

inline constexpr char kOpenVinoModelPath[] = "openvino_model.xml";
inline constexpr char kOpenVinoWeightsPath[] = "openvino_model.bin";

// `constants` are the names of the model's constants that the planes of each tensor of the plan are.
// Constants' offsets are set here. INTERNAL when plan and model do not fit together. `plan` outlives the
// writer.
absl::StatusOr<std::unique_ptr<ModelWriter>> MakeOpenVinoWriter(
    const OutputPlan& plan, const std::vector<std::vector<std::string>>& constants, IrModel model);

}  // namespace quantd
