// safetensors files (huggingface/safetensors): one, or shards with an index. Serves MLX and Hugging Face
// folders.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "workers/formats/model_writer.h"

namespace quantd {

// How one plane of a tensor is described in the header.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // "BF16", "U32", …
  std::vector<int64_t> shape;
};

// `entries[t]` has one entry for each plane of plan.tensors[t]. `framework` goes into the metadata as
// "format". Files are model.safetensors, or model-00001-of-0000N.safetensors and model.safetensors.index.json
// when the tensors take more than 5 GiB. Planes after the first wait in memory until the first is complete.
// `plan` outlives the writer.
std::unique_ptr<ModelWriter> MakeSafetensorsWriter(const OutputPlan& plan,
                                                   std::vector<std::vector<SafetensorsEntry>> entries,
                                                   std::string framework);

}  // namespace quantd
