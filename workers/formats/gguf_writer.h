// GGUF version 3: header, metadata, descriptions of tensors, then their data, each tensor aligned to 32
// bytes.
#pragma once

#include <memory>
#include <string>

#include "workers/formats/gguf_value.h"
#include "workers/formats/model_writer.h"

namespace quantd {

// `plan` outlives the writer; every codec of it is a GGUF type.
std::unique_ptr<ModelWriter> MakeGgufWriter(const OutputPlan& plan, const GgufMetadata& metadata,
                                            std::string path);

}  // namespace quantd
