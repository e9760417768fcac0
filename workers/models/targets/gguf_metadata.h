// The metadata of a GGUF file, as llama.cpp's converter and then llama-quantize would write it.
#pragma once

#include "absl/status/statusor.h"
#include "workers/formats/gguf_value.h"
#include "workers/models/model.h"
#include "workers/models/targets/gguf_types.h"

namespace quantd {

// FAILED_PRECONDITION when the vocabulary can't be written (see ReadTokenizer). docs/formats/gguf.md lists
// what differs from the converter.
absl::StatusOr<GgufMetadata> MakeGgufMetadata(const Model& model, const GgufFileType& file_type);

// What llama-quantize adds where it was given the importance matrix in the file of that name.
void AddImportanceMetadata(const std::string& path, const ImportanceMatrix& importance,
                           GgufMetadata& metadata);

// LongRoPE's factor for attention, sqrt(1 + ln(context / original) / ln(original)), or 1 where the context is
// not longer.
double LongRopeAttentionFactor(const HyperParameters& parameters);

}  // namespace quantd
