// genai_config.json: onnxruntime-genai's description of a model.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workers/models/targets/onnx/decoder.h"

namespace quantd {

// What genai_config.json is made from. Objects; `generation` is empty where the checkpoint has no such file.
struct GenaiSources {
  Json config;            // config.json
  Json generation;        // generation_config.json
  Json tokenizer;         // tokenizer.json
  Json tokenizer_config;  // tokenizer_config.json
};

// The file's text, in the model builder's order of keys. FAILED_PRECONDITION when no source names the token
// that ends a text.
absl::StatusOr<std::string> MakeGenaiConfig(const GenaiSources& sources, const OnnxDecoder& decoder);

}  // namespace quantd
