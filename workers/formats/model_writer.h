// Writes a model file, append only: every size is known from the plan, so that headers come first and nothing
// is patched later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/random_access_file.h"
#include "workers/formats/artifact_sink.h"
#include "workers/formats/output_plan.h"
#include "workers/formats/stored_tensor.h"

namespace quantd {

struct FileSize {
  std::string path;
  int64_t bytes;
};

using OpenArtifactFile =
    std::function<absl::StatusOr<std::unique_ptr<RandomAccessFile>>(const std::string& path)>;

// Used by one thread. Tensors are appended in the plan's order, one after the other; the planes of a tensor
// may be appended in turns (a tile of each). Each plane's bytes arrive in order.
class ModelWriter {
 public:
  virtual ~ModelWriter() = default;

  // The model files (not the sidecars) and their sizes, known before Begin.
  virtual std::vector<FileSize> Files() const = 0;

  virtual absl::Status Begin(ArtifactSink& sink) = 0;
  virtual absl::Status Append(size_t tensor, size_t plane, std::span<const std::byte> bytes) = 0;
  virtual absl::Status Finish() = 0;

  // How a reader of this format will find the plane of a tensor: name, type and shape.
  virtual StoredTensor Describe(size_t tensor, size_t plane) const = 0;

  // Finds the tensors in a file that was written, by this format's reader. Empty for files without tensors.
  // `open` opens other files of the artifact, for formats whose headers are not in the file that has the
  // bytes.
  virtual absl::StatusOr<std::vector<StoredTensor>> ReadBack(const std::string& path,
                                                             const RandomAccessFile& file,
                                                             const OpenArtifactFile& open) const = 0;
};

}  // namespace quantd
