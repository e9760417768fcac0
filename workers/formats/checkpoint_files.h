// The files of one checkpoint, wherever their bytes are: a local folder, or objects of the store.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "base/random_access_file.h"

namespace quantd {

// Immutable once built; safe for concurrent use. Paths are relative to the checkpoint's folder (see
// base/relative_path.h).
class CheckpointFiles {
 public:
  // Replaces a file of the same path.
  void Add(std::string path, std::unique_ptr<RandomAccessFile> file) {
    files_[std::move(path)] = std::move(file);
  }

  // Null when there is none.
  const RandomAccessFile* Find(const std::string& path) const;

  // In alphabetical order.
  std::vector<std::string> Paths() const;

  // A text file, at most 64 MiB. NOT_FOUND when there is none; errors name the path.
  absl::StatusOr<std::string> ReadText(const std::string& path) const;

  // A JSON file (see ParseJson). NOT_FOUND when there is none.
  absl::StatusOr<Json> ReadJson(const std::string& path) const;

 private:
  std::map<std::string, std::unique_ptr<RandomAccessFile>> files_;
};

// Opens every regular file directly in `folder`, or the one file if `path` names one.
absl::StatusOr<CheckpointFiles> OpenLocalCheckpoint(const std::string& path);

}  // namespace quantd
