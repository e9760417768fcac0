// Where bytes live: checkpoints' files and artifacts, by key. A folder on one machine; other stores by other
// adapters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/random_access_file.h"

namespace quantd {

// An object under construction. Not thread-safe. Destroying it without Commit leaves nothing.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  // RESOURCE_EXHAUSTED when the disk is full.
  virtual absl::Status Append(std::span<const std::byte> bytes) = 0;
  // Makes the object durable, then visible under its key, replacing an older one in one step. No Append after
  // it.
  virtual absl::Status Commit() = 0;
};

// An object that arrives in pieces, over several connections and lives of the server. One writer at a time.
// Not thread-safe.
class ResumableUpload {
 public:
  virtual ~ResumableUpload() = default;
  // Bytes that survive a crash: everything before the last Sync.
  virtual uint64_t durable_size() const = 0;
  virtual absl::Status Append(std::span<const std::byte> bytes) = 0;
  virtual absl::Status Sync() = 0;
  // Bytes written so far, to compute their digest again.
  virtual absl::StatusOr<std::unique_ptr<RandomAccessFile>> ReadBack() = 0;
  // As ObjectWriter::Commit; the upload ends.
  virtual absl::Status Commit(const std::string& key) = 0;
  // Drops all bytes; the upload ends.
  virtual absl::Status Discard() = 0;
};

struct ObjectInfo {
  std::string key;
  uint64_t size = 0;
};

// Keys are relative paths (base/relative_path.h); any other is INVALID_ARGUMENT. Safe for concurrent use;
// concurrent writers of one key are safe, and the last Commit wins.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // NOT_FOUND when there is none. An object that is removed or replaced while it is open stays readable.
  virtual absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForRead(const std::string& key) = 0;
  virtual absl::StatusOr<std::unique_ptr<ObjectWriter>> Create(const std::string& key) = 0;
  virtual absl::StatusOr<ObjectInfo> Stat(const std::string& key) = 0;
  // Objects whose key is `prefix` + "/" + something, in order of keys. An empty prefix lists all.
  virtual absl::StatusOr<std::vector<ObjectInfo>> List(const std::string& prefix) = 0;
  // OK also when there is none.
  virtual absl::Status Remove(const std::string& key) = 0;
  // Opens the upload of that id, new or left by an earlier life. Ids are single path parts. Everything that
  // is found is made durable first, so that durable_size() counts it.
  virtual absl::StatusOr<std::unique_ptr<ResumableUpload>> ResumeUpload(const std::string& id) = 0;
  // Bytes that ResumeUpload would find, durable or not; 0 when there is no such upload.
  virtual absl::StatusOr<uint64_t> UploadSize(const std::string& id) = 0;
  // Ids of the uploads that have begun and not ended, in order.
  virtual absl::StatusOr<std::vector<std::string>> ListUploads() = 0;
  // Drops what that upload has brought; OK also when there is none.
  virtual absl::Status DiscardUpload(const std::string& id) = 0;
  // Bytes that still fit, where the store knows.
  virtual absl::StatusOr<std::optional<uint64_t>> FreeBytes() = 0;
  // A URL from which anybody can GET the object until `lifetime` has passed, where the store can serve it by
  // itself; else UNIMPLEMENTED. Whether there is such an object is not checked.
  virtual absl::StatusOr<std::string> PresignedUrl(const std::string& key, absl::Duration lifetime);
};

// For adapters: INVALID_ARGUMENT unless `id` is a single path part.
absl::Status CheckUploadId(const std::string& id);

}  // namespace quantd
