// ONNX models whose weights lie beside the graph: model.onnx and model.onnx.data.
//
// Initializers begin at multiples of 64 bytes, large ones at multiples of 64 KiB, so that a runtime can map
// them: the granularity of Windows' mappings, and a multiple of every page size (the rule by which
// onnxruntime itself saves external data). The bytes between are zero.
#pragma once

#include <onnx/onnx_pb.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/model_writer.h"

namespace quantd {

inline constexpr char kOnnxGraphPath[] = "model.onnx";
inline constexpr char kOnnxDataPath[] = "model.onnx.data";

// `initializers[t][p]` names the initializer of `model` that plane p of the plan's tensor t is. `plan`
// outlives the writer. INTERNAL when initializers and planes are not the same, or differ in size.
absl::StatusOr<std::unique_ptr<ModelWriter>> MakeOnnxWriter(
    const OutputPlan& plan, const std::vector<std::vector<std::string>>& initializers,
    onnx::ModelProto model);

}  // namespace quantd
