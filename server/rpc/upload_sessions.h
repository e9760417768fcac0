// Uploads that are being written, and the digests of those whose stream broke off.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "base/sha256.h"
#include "server/rpc/resource_names.h"
#include "server/server_context.h"

namespace quantd {

// One upload in the hands of one stream. Not thread-safe.
class UploadSession {
 public:
  // `path` is the file's, for messages.
  UploadSession(std::unique_ptr<ResumableUpload> upload, UploadName name, std::string path, Sha256 digest,
                int64_t position)
      : upload_(std::move(upload)),
        name_(std::move(name)),
        path_(std::move(path)),
        digest_(std::move(digest)),
        position_(position) {}

  const UploadName& name() const { return name_; }
  // Where the next byte goes.
  int64_t position() const { return position_; }
  int64_t durable() const { return static_cast<int64_t>(upload_->durable_size()); }

  // Flushes every 32 MiB, so that a crash costs no more. INVALID_ARGUMENT when the blob would become too
  // long.
  absl::Status Append(std::span<const std::byte> bytes);
  absl::Status Sync() { return upload_->Sync(); }
  absl::Status Discard() { return upload_->Discard(); }
  // Checks size and digest, then publishes. With a wrong digest the bytes are dropped: INVALID_ARGUMENT.
  absl::Status Finish(const std::string& object_key);

 private:
  std::unique_ptr<ResumableUpload> upload_;
  UploadName name_;
  std::string path_;
  Sha256 digest_;
  int64_t position_;
};

// Thread-safe. A session belongs to one stream at a time.
class UploadSessions {
 public:
  explicit UploadSessions(ServerContext& context) : context_(context) {}

  // Before and after each stream that sends: RESOURCE_EXHAUSTED (QuotaFailure, RetryInfo) when the tenant has
  // as many as it may.
  absl::Status BeginStream(const std::string& tenant);
  void EndStream(const std::string& tenant);

  // ABORTED (RetryInfo) while another stream has it; NOT_FOUND when the catalogue has no such upload.
  absl::StatusOr<std::unique_ptr<UploadSession>> Take(const UploadName& name);
  // What was taken comes back: its bytes are durable, and its digest is kept for the next stream.
  void GiveBack(std::unique_ptr<UploadSession> session);
  // The upload has ended.
  void Forget(const std::string& upload_id);
  // Nothing needs the upload any more: its bytes go, at once or when the stream that has it ends.
  absl::Status Discard(const std::string& upload_id);
  // Bytes that a crash now would not lose; while a stream has the upload, at least those it began with.
  absl::StatusOr<int64_t> DurableSize(const UploadName& name);

 private:
  struct Entry {
    std::string tenant;
    std::unique_ptr<UploadSession> session;  // null while a stream has it
    int64_t durable = 0;
    int64_t last_use = 0;
    bool discarded = false;
  };
  absl::StatusOr<std::unique_ptr<UploadSession>> Open(const UploadName& name);
  // Closes the session that waits longest when too many wait: each holds a file open. Under the lock.
  void CloseOldest();

  ServerContext& context_;
  std::mutex mutex_;
  std::map<std::string, Entry> sessions_;
  std::map<std::string, int64_t> streams_;  // by tenant, where there are any
  int64_t uses_ = 0;
};

}  // namespace quantd
