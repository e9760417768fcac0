// What MLX's and Hugging Face's folders have in common: tensors under their Hugging Face names beside the
// checkpoint's own configuration and tokenizer files.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/output_plan.h"
#include "workers/formats/safetensors_writer.h"
#include "workers/models/model.h"

namespace quantd {

// The checkpoint's tokenizer, chat template and generation files: byte for byte, or made from a GGUF file's
// metadata.
absl::StatusOr<std::vector<SidecarFile>> TokenizerSidecars(const Model& model);

// The same for runtimes that read only tokenizer.json: where the checkpoint has just SentencePiece's
// tokenizer.model, it is made from that, and `notes` says so. FAILED_PRECONDITION when that is not of type
// BPE: no other can be made into it. INVALID_ARGUMENT when it is broken.
absl::StatusOr<std::vector<SidecarFile>> TokenizerJsonSidecars(const Model& model,
                                                               std::vector<std::string>& notes);

// Whether none of them is a vocabulary.
bool HasNoTokenizer(const std::vector<SidecarFile>& files);

// Null when there is none of that path.
const SidecarFile* FindSidecar(const std::vector<SidecarFile>& files, std::string_view path);

// `output` takes a whole tensor of the model; a GGUF file's rows of queries and keys go back into Hugging
// Face's order.
void TakeTensor(const Model& model, size_t index, OutputTensor& output);

// "F16" for fp16, "BF16" for bf16, "F32" for fp32; null for other schemes.
const quant::Codec* PlainCodec(const std::string& scheme);

// The name that torch and MLX give a plain codec's type: "float16", "bfloat16", "float32".
std::string TorchType(const quant::Codec& codec);

// Adds a tensor of plain floats and the description of its one plane.
void AddPlainTensor(const Model& model, size_t index, const quant::Codec& codec, OutputPlan& plan,
                    std::vector<std::vector<SafetensorsEntry>>& entries);

}  // namespace quantd
