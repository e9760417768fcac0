// Reads the headers of safetensors files: 8 bytes of length (little-endian), that much JSON, then the
// tensors' bytes, which must cover the rest of the file without gap or overlap (the format's own rule;
// huggingface/safetensors).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/checkpoint_files.h"
#include "workers/formats/source_tensor.h"
#include "workers/formats/stored_tensor.h"

namespace quantd {

// The tensors of one file in the order of their bytes, of every dtype. INVALID_ARGUMENT names the tensor.
absl::StatusOr<std::vector<StoredTensor>> ReadSafetensorsHeader(const RandomAccessFile& file);

// The same for weights of a checkpoint, F32, F16 or BF16; errors name the file too. The result points into
// `files`, which must outlive it.
absl::StatusOr<std::vector<SourceTensor>> ReadSafetensorsFile(const CheckpointFiles& files,
                                                              const std::string& path);

// All tensors of a checkpoint: those of the shards that model.safetensors.index.json names, or of every
// *.safetensors file when there is no index. Shard by shard in alphabetical order. Errors: a missing shard, a
// tensor that is in two files, in the index and in no file, or in another file than the index says.
absl::StatusOr<std::vector<SourceTensor>> ReadSafetensorsCheckpoint(const CheckpointFiles& files);

}  // namespace quantd
