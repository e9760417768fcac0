// Where an artifact's files go.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd {

// One file, written front to back. Not thread-safe.
class FileSink {
 public:
  virtual ~FileSink() = default;
  virtual absl::Status Append(std::span<const std::byte> bytes) = 0;
  // Ends the file. It counts only after this; destroying the sink before leaves nothing.
  virtual absl::Status Close() = 0;
};

class ArtifactSink {
 public:
  virtual ~ArtifactSink() = default;
  // `path` is relative (base/relative_path.h) and new.
  virtual absl::StatusOr<std::unique_ptr<FileSink>> Create(const std::string& path) = 0;
};

}  // namespace quantd
