// GGUF files, version 2 and 3, little-endian: header, metadata, descriptions of tensors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/checkpoint_files.h"
#include "workers/formats/gguf_value.h"
#include "workers/formats/source_tensor.h"

namespace quantd {

struct GgufFile {
  GgufMetadata metadata;
  // In the order of their bytes. Extents are checked: aligned, inside the file, not overlapping.
  std::vector<SourceTensor> tensors;
};

// INVALID_ARGUMENT names key or tensor; FAILED_PRECONDITION for versions and tensor types that can't be read.
// Nothing is allocated by a number of the file that the file's own size does not bear. The tensors' path and
// file are not set.
absl::StatusOr<GgufFile> ReadGgufHeader(const RandomAccessFile& file);

// The same for a file of a checkpoint; errors name it too. The result points into `files`, which outlives it.
absl::StatusOr<GgufFile> ReadGgufFile(const CheckpointFiles& files, const std::string& path);

// The checkpoint's only GGUF file, or all parts of a split one as if they were one.
absl::StatusOr<GgufFile> ReadGgufCheckpoint(const CheckpointFiles& files);

}  // namespace quantd
