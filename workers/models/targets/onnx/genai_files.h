// The small files beside model.onnx: what onnxruntime-genai reads to tokenize and to generate.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/output_plan.h"
#include "workers/models/model.h"
#include "workers/models/targets/onnx/decoder.h"

namespace quantd {

// genai_config.json, tokenizer.json, tokenizer_config.json and, where the checkpoint has it,
// chat_template.jinja; genai_config.json alone for a checkpoint without any tokenizer. FAILED_PRECONDITION
// when there is one that onnxruntime-genai does not read, or one whose tokens don't fit the vocabulary.
// `notes` gets what was changed, a sentence each.
absl::StatusOr<std::vector<SidecarFile>> MakeGenaiFiles(const Model& model, const OnnxDecoder& decoder,
                                                        std::vector<std::string>& notes);

}  // namespace quantd
