#include "storage/objects/memory_store.h"

#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/relative_path.h"
#include "base/status.h"

namespace quantd {
namespace {

// What the store, its writers and its uploads share: any of them may live longest.
struct Contents {
  std::mutex mutex;
  std::map<std::string, std::string> objects;
  std::map<std::string, std::string> uploads;
};

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class MemoryWriter final : public ObjectWriter {
 public:
  MemoryWriter(std::shared_ptr<Contents> contents, std::string key)
      : contents_(std::move(contents)), key_(std::move(key)) {}

  absl::Status Append(std::span<const std::byte> bytes) override {
    bytes_.append(Text(bytes));
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    std::lock_guard lock(contents_->mutex);
    contents_->objects[key_] = std::move(bytes_);
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<Contents> contents_;
  std::string key_;
  std::string bytes_;
};

class MemoryUpload final : public ResumableUpload {
 public:
  MemoryUpload(std::shared_ptr<Contents> contents, std::string id)
      : contents_(std::move(contents)), id_(std::move(id)) {
    std::lock_guard lock(contents_->mutex);
    durable_ = contents_->uploads[id_].size();
  }

  uint64_t durable_size() const override { return durable_; }

  absl::Status Append(std::span<const std::byte> bytes) override {
    std::lock_guard lock(contents_->mutex);
    contents_->uploads[id_].append(Text(bytes));
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    std::lock_guard lock(contents_->mutex);
    durable_ = contents_->uploads[id_].size();
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> ReadBack() override {
    std::lock_guard lock(contents_->mutex);
    return MakeMemoryFile(contents_->uploads[id_]);
  }

  absl::Status Commit(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    std::lock_guard lock(contents_->mutex);
    contents_->objects[key] = std::move(contents_->uploads[id_]);
    contents_->uploads.erase(id_);
    return absl::OkStatus();
  }

  absl::Status Discard() override {
    std::lock_guard lock(contents_->mutex);
    contents_->uploads.erase(id_);
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<Contents> contents_;
  std::string id_;
  uint64_t durable_ = 0;
};

class MemoryStore final : public ObjectStore {
 public:
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForRead(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    std::lock_guard lock(contents_->mutex);
    auto found = contents_->objects.find(key);
    if (found == contents_->objects.end()) return Missing(key);
    return MakeMemoryFile(found->second);
  }

  absl::StatusOr<std::unique_ptr<ObjectWriter>> Create(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    return std::make_unique<MemoryWriter>(contents_, key);
  }

  absl::StatusOr<ObjectInfo> Stat(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    std::lock_guard lock(contents_->mutex);
    auto found = contents_->objects.find(key);
    if (found == contents_->objects.end()) return Missing(key);
    return ObjectInfo{key, found->second.size()};
  }

  absl::StatusOr<std::vector<ObjectInfo>> List(const std::string& prefix) override {
    if (!prefix.empty()) RETURN_IF_ERROR(CheckRelativePath(prefix));
    const std::string folder = prefix.empty() ? "" : prefix + "/";
    std::vector<ObjectInfo> found;
    std::lock_guard lock(contents_->mutex);
    for (auto it = contents_->objects.lower_bound(folder);
         it != contents_->objects.end() && absl::StartsWith(it->first, folder); ++it) {
      found.push_back({it->first, it->second.size()});
    }
    return found;
  }

  absl::Status Remove(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    std::lock_guard lock(contents_->mutex);
    contents_->objects.erase(key);
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<ResumableUpload>> ResumeUpload(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    return std::make_unique<MemoryUpload>(contents_, id);
  }

  absl::StatusOr<uint64_t> UploadSize(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    std::lock_guard lock(contents_->mutex);
    auto found = contents_->uploads.find(id);
    return found == contents_->uploads.end() ? uint64_t{0} : uint64_t{found->second.size()};
  }

  absl::StatusOr<std::vector<std::string>> ListUploads() override {
    std::lock_guard lock(contents_->mutex);
    std::vector<std::string> ids;
    for (const auto& [id, bytes] : contents_->uploads) ids.push_back(id);
    return ids;
  }

  absl::Status DiscardUpload(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    std::lock_guard lock(contents_->mutex);
    contents_->uploads.erase(id);
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<uint64_t>> FreeBytes() override { return std::nullopt; }

 private:
  static absl::Status Missing(const std::string& key) {
    return absl::NotFoundError(absl::StrCat("there is no object ", key));
  }

  std::shared_ptr<Contents> contents_ = std::make_shared<Contents>();
};

}  // namespace

std::unique_ptr<ObjectStore> OpenMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace quantd
