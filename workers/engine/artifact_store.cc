#include "workers/engine/artifact_store.h"

#include "absl/strings/str_cat.h"
#include "base/relative_path.h"
#include "base/sha256.h"
#include "base/status.h"
#include "workers/engine/write_behind.h"

namespace quantd {

class ArtifactStore::File final : public FileSink {
 public:
  File(ArtifactStore& owner, StoredFile info, std::unique_ptr<ObjectWriter> writer)
      : owner_(owner), info_(std::move(info)), writer_(std::move(writer)) {}

  absl::Status Append(std::span<const std::byte> bytes) override {
    digest_.Update(bytes);
    info_.size += static_cast<int64_t>(bytes.size());
    return writer_->Append(bytes);
  }

  absl::Status Close() override {
    RETURN_IF_ERROR(writer_->Commit());
    info_.sha256 = digest_.FinishHex();
    owner_.files_.push_back(std::move(info_));
    return absl::OkStatus();
  }

 private:
  ArtifactStore& owner_;
  StoredFile info_;
  std::unique_ptr<ObjectWriter> writer_;
  Sha256 digest_;
};

absl::StatusOr<std::unique_ptr<FileSink>> ArtifactStore::Create(const std::string& path) {
  RETURN_IF_ERROR(CheckRelativePath(path));
  StoredFile info;
  info.path = path;
  info.object_key = absl::StrCat(prefix_, "/", path);
  ASSIGN_OR_RETURN(std::unique_ptr<ObjectWriter> writer, store_.Create(info.object_key));
  return std::make_unique<WriteBehind>(std::make_unique<File>(*this, std::move(info), std::move(writer)));
}

absl::Status ArtifactStore::Put(const std::string& path, const std::string& content) {
  ASSIGN_OR_RETURN(std::unique_ptr<FileSink> file, Create(path));
  RETURN_IF_ERROR(file->Append(std::as_bytes(std::span(content))));
  return file->Close();
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> ArtifactStore::Open(const StoredFile& file) const {
  return store_.OpenForRead(file.object_key);
}

absl::Status RemoveObjects(ObjectStore& store, const std::string& prefix) {
  ASSIGN_OR_RETURN(std::vector<ObjectInfo> objects, store.List(prefix));
  for (const ObjectInfo& object : objects) RETURN_IF_ERROR(store.Remove(object.key));
  return absl::OkStatus();
}

}  // namespace quantd
