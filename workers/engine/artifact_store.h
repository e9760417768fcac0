// Files of artifacts as objects, with their digests computed as they are written.
#pragma once

#include <string>
#include <vector>

#include "storage/objects/object_store.h"
#include "workers/formats/artifact_sink.h"

namespace quantd {

struct StoredFile {
  std::string path;  // below the target's directory
  std::string object_key;
  std::string sha256;
  int64_t size = 0;
};

// Puts files at PREFIX/PATH. Used by one thread.
class ArtifactStore final : public ArtifactSink {
 public:
  // `store` outlives this and its files.
  ArtifactStore(ObjectStore& store, std::string prefix) : store_(store), prefix_(std::move(prefix)) {}

  absl::StatusOr<std::unique_ptr<FileSink>> Create(const std::string& path) override;

  // Writes a small file in one call.
  absl::Status Put(const std::string& path, const std::string& content);

  // Those that are closed, in that order.
  const std::vector<StoredFile>& files() const { return files_; }

  // Reads one of files() back from the store.
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> Open(const StoredFile& file) const;

 private:
  class File;

  ObjectStore& store_;
  std::string prefix_;
  std::vector<StoredFile> files_;
};

// Removes every object below `prefix`; what an abandoned attempt leaves.
absl::Status RemoveObjects(ObjectStore& store, const std::string& prefix);

}  // namespace quantd
