// A tokenizer from a GGUF file's metadata, in the files that Hugging Face's loaders read.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/gguf_value.h"
#include "workers/formats/output_plan.h"

namespace quantd {

// tokenizer.json, tokenizer_config.json and generation_config.json. FAILED_PRECONDITION when the metadata has
// no tokenizer, or one of a kind that can't be expressed; INVALID_ARGUMENT when it contradicts itself.
absl::StatusOr<std::vector<SidecarFile>> MakeTokenizerFiles(const GgufMetadata& metadata);

}  // namespace quantd
