// An artifact in memory: what writers wrote, file by file.
#pragma once

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "workers/formats/artifact_sink.h"

namespace quantd {

class MemorySink final : public ArtifactSink {
 public:
  absl::StatusOr<std::unique_ptr<FileSink>> Create(const std::string& path) override {
    if (files_.count(path) > 0) return absl::AlreadyExistsError(absl::StrCat(path, " is written twice"));
    return std::make_unique<File>(*this, path);
  }

  // Those that were closed.
  const std::map<std::string, std::string>& files() const { return files_; }

 private:
  class File final : public FileSink {
   public:
    File(MemorySink& owner, std::string path) : owner_(owner), path_(std::move(path)) {}
    absl::Status Append(std::span<const std::byte> bytes) override {
      bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return absl::OkStatus();
    }
    absl::Status Close() override {
      owner_.files_[path_] = std::move(bytes_);
      return absl::OkStatus();
    }

   private:
    MemorySink& owner_;
    std::string path_;
    std::string bytes_;
  };

  std::map<std::string, std::string> files_;
};

}  // namespace quantd
