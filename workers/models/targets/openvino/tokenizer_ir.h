// The tokenizer beside an OpenVINO model.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/output_plan.h"
#include "workers/models/model.h"

namespace quantd {

// openvino_tokenizer.xml and .bin, openvino_detokenizer.xml and .bin: what tokenizer.json of `sources`
// (TokenizerJsonSidecars) does, as models that openvino_genai runs. FAILED_PRECONDITION when there is none,
// or one that OpenVINO's operations can't express; INVALID_ARGUMENT when a file is broken.
absl::StatusOr<std::vector<SidecarFile>> MakeTokenizerIr(const Model& model,
                                                         const std::vector<SidecarFile>& sources);

}  // namespace quantd
