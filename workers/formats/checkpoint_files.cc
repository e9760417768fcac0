#include "workers/formats/checkpoint_files.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr uint64_t kMostTextBytes = uint64_t{64} << 20;

}  // namespace

const RandomAccessFile* CheckpointFiles::Find(const std::string& path) const {
  auto found = files_.find(path);
  return found == files_.end() ? nullptr : found->second.get();
}

std::vector<std::string> CheckpointFiles::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, file] : files_) paths.push_back(path);
  return paths;
}

absl::StatusOr<std::string> CheckpointFiles::ReadText(const std::string& path) const {
  const RandomAccessFile* file = Find(path);
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("the checkpoint has no ", path));
  absl::StatusOr<std::string> text = ReadAll(*file, kMostTextBytes);
  if (!text.ok()) return Annotate(text.status(), path);
  return text;
}

absl::StatusOr<Json> CheckpointFiles::ReadJson(const std::string& path) const {
  ASSIGN_OR_RETURN(std::string text, ReadText(path));
  return ParseJson(text, path);
}

absl::StatusOr<CheckpointFiles> OpenLocalCheckpoint(const std::string& path) {
  namespace fs = std::filesystem;
  CheckpointFiles files;
  std::error_code error;
  const auto add = [&](const fs::path& file) -> absl::Status {
    ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> opened, OpenLocalFile(file.string()));
    files.Add(file.filename().string(), std::move(opened));
    return absl::OkStatus();
  };
  if (fs::is_regular_file(path, error)) {
    RETURN_IF_ERROR(add(path));
    return files;
  }
  if (!fs::is_directory(path, error))
    return absl::NotFoundError(absl::StrCat(path, " is neither a file nor a folder"));
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    if (entry.is_regular_file(error)) RETURN_IF_ERROR(add(entry.path()));
  }
  if (error) return absl::PermissionDeniedError(absl::StrCat("cannot list ", path, ": ", error.message()));
  return files;
}

}  // namespace quantd
