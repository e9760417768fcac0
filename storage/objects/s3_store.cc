#include "storage/objects/s3_store.h"

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "base/relative_path.h"
#include "base/status.h"
#include "storage/objects/s3/block_cache.h"
#include "storage/objects/s3/client.h"
#include "storage/objects/s3/reader.h"
#include "storage/objects/s3/upload.h"
#include "storage/objects/s3/writer.h"

namespace quantd {
namespace {

constexpr size_t kCachedBlocks = 16;  // 64 MiB

absl::Status Missing(const std::string& key) {
  return absl::NotFoundError(absl::StrCat("there is no object ", key));
}

class S3Store final : public ObjectStore {
 public:
  S3Store(const s3::Location& location, s3::Options options)
      : root_(location.prefix.empty() ? "" : location.prefix + "/"),
        objects_(root_ + "objects/"),
        uploads_(root_ + "uploads/"),
        connection_(location, std::move(options)) {}

  absl::Status Prepare() {
    RETURN_IF_ERROR(client_.CheckBucket(root_));
    if (absl::Status status = AbortStaleMultiparts(); !status.ok())
      spdlog::warn("stale parts stay in the bucket: {}", std::string(status.message()));
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForRead(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    absl::StatusOr<s3::ObjectState> state = client_.Head(objects_ + key);
    if (absl::IsNotFound(state.status())) return Missing(key);
    RETURN_IF_ERROR(state.status());
    return s3::OpenReader(client_, cache_, objects_ + key, *std::move(state));
  }

  absl::StatusOr<std::unique_ptr<ObjectWriter>> Create(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    return s3::OpenWriter(client_, objects_ + key);
  }

  absl::StatusOr<ObjectInfo> Stat(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    absl::StatusOr<s3::ObjectState> state = client_.Head(objects_ + key);
    if (absl::IsNotFound(state.status())) return Missing(key);
    RETURN_IF_ERROR(state.status());
    return ObjectInfo{key, state->size};
  }

  absl::StatusOr<std::vector<ObjectInfo>> List(const std::string& prefix) override {
    if (!prefix.empty()) RETURN_IF_ERROR(CheckRelativePath(prefix));
    ASSIGN_OR_RETURN(s3::ListPage found,
                     client_.List(objects_ + (prefix.empty() ? "" : prefix + "/"), /*by_folder=*/false));
    for (ObjectInfo& object : found.objects) object.key.erase(0, objects_.size());
    return std::move(found.objects);
  }

  absl::Status Remove(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    return client_.Remove(objects_ + key);
  }

  absl::StatusOr<std::unique_ptr<ResumableUpload>> ResumeUpload(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    return s3::OpenUpload(client_, cache_, FolderOf(id), objects_);
  }

  absl::StatusOr<uint64_t> UploadSize(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    return s3::SizeOfUpload(client_, FolderOf(id));
  }

  absl::StatusOr<std::vector<std::string>> ListUploads() override {
    ASSIGN_OR_RETURN(s3::ListPage found, client_.List(uploads_, /*by_folder=*/true));
    std::vector<std::string> ids;
    for (const std::string& folder : found.folders)
      ids.push_back(folder.substr(uploads_.size(), folder.size() - uploads_.size() - 1));
    return ids;
  }

  absl::Status DiscardUpload(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    return s3::RemoveUpload(client_, FolderOf(id));
  }

  absl::StatusOr<std::optional<uint64_t>> FreeBytes() override { return std::nullopt; }

  absl::StatusOr<std::string> PresignedUrl(const std::string& key, absl::Duration lifetime) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    return connection_.PresignGet(objects_ + key, lifetime);
  }

 private:
  std::string FolderOf(const std::string& upload_id) const { return absl::StrCat(uploads_, upload_id, "/"); }

  absl::Status AbortStaleMultiparts() {
    ASSIGN_OR_RETURN(std::vector<s3::MultipartInfo> uploads, client_.ListMultiparts(objects_));
    const absl::Time stale = connection_.options().clock->Now() - connection_.options().stale_after;
    for (const s3::MultipartInfo& upload : uploads)
      if (upload.initiated <= stale) RETURN_IF_ERROR(client_.AbortMultipart(upload.key, upload.upload_id));
    return absl::OkStatus();
  }

  const std::string root_;
  const std::string objects_;
  const std::string uploads_;
  s3::Connection connection_;
  s3::Client client_{connection_};
  s3::BlockCache cache_{kCachedBlocks};
};

}  // namespace

absl::StatusOr<std::unique_ptr<ObjectStore>> OpenS3Store(const s3::Location& location, s3::Options options) {
  auto store = std::make_unique<S3Store>(location, std::move(options));
  RETURN_IF_ERROR(store->Prepare());
  return store;
}

}  // namespace quantd
