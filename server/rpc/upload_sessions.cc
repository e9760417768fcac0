#include "server/rpc/upload_sessions.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/quota.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr int64_t kSyncBytes = int64_t{32} << 20;
constexpr absl::Duration kStreamRetry = absl::Seconds(5);

// The digest of what an earlier life of the server received.
absl::StatusOr<Sha256> DigestOf(ResumableUpload& upload) {
  Sha256 digest;
  if (upload.durable_size() == 0) return digest;
  ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, upload.ReadBack());
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (uint64_t offset = 0; offset < upload.durable_size(); offset += buffer.size()) {
    const auto chunk =
        std::span(buffer).first(std::min<uint64_t>(buffer.size(), upload.durable_size() - offset));
    RETURN_IF_ERROR(file->ReadAt(offset, chunk));
    digest.Update(chunk);
  }
  return digest;
}

}  // namespace

absl::Status UploadSession::Append(std::span<const std::byte> bytes) {
  if (static_cast<int64_t>(bytes.size()) > name_.blob.size - position_) {
    return InvalidField(
        "data", absl::StrCat(path_, " is longer than the ", name_.blob.size, " bytes that were announced"));
  }
  RETURN_IF_ERROR(upload_->Append(bytes));
  digest_.Update(bytes);
  position_ += static_cast<int64_t>(bytes.size());
  return position_ - durable() >= kSyncBytes ? Sync() : absl::OkStatus();
}

absl::Status UploadSession::Finish(const std::string& object_key) {
  if (position_ != name_.blob.size) {
    return InvalidField("finish_write",
                        absl::StrCat(path_, " has ", position_, " of ", name_.blob.size, " bytes"));
  }
  const std::string sha256 = digest_.FinishHex();
  if (sha256 != name_.blob.sha256) {
    RETURN_IF_ERROR(upload_->Discard());
    return InvalidField("resource_name", absl::StrCat(path_, " came with the SHA-256 ", sha256, ", not ",
                                                      name_.blob.sha256, "; send it again"));
  }
  return upload_->Commit(object_key);
}

absl::StatusOr<std::unique_ptr<UploadSession>> UploadSessions::Open(const UploadName& name) {
  ASSIGN_OR_RETURN(UploadRecord record, context_.catalogue.GetUpload(name.tenant, name.upload_id));
  if (record.blob.sha256 != name.blob.sha256 || record.blob.size != name.blob.size) {
    return InvalidField("resource_name", "names another blob than its upload");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<ResumableUpload> upload, context_.objects.ResumeUpload(name.upload_id));
  ASSIGN_OR_RETURN(Sha256 digest, DigestOf(*upload));
  const int64_t position = static_cast<int64_t>(upload->durable_size());
  return std::make_unique<UploadSession>(std::move(upload), name, record.path, std::move(digest), position);
}

absl::Status UploadSessions::BeginStream(const std::string& tenant) {
  const int64_t most = context_.tenants.LimitsOf(tenant).upload_streams;
  std::lock_guard lock(mutex_);
  int64_t& streams = streams_[tenant];
  if (most > 0 && streams >= most) {
    return QuotaExceeded(tenant, "upload_streams",
                         absl::StrCat(most, " uploads are running, which is all it may have"), kStreamRetry);
  }
  ++streams;
  return absl::OkStatus();
}

void UploadSessions::EndStream(const std::string& tenant) {
  std::lock_guard lock(mutex_);
  if (--streams_[tenant] == 0) streams_.erase(tenant);
}

absl::StatusOr<std::unique_ptr<UploadSession>> UploadSessions::Take(const UploadName& name) {
  {
    std::lock_guard lock(mutex_);
    auto [found, is_new] = sessions_.try_emplace(name.upload_id);
    if (is_new) found->second.tenant = name.tenant;
    if (found->second.tenant != name.tenant) return ResourceNotFound("upload", name.upload_id);
    if (!is_new && found->second.session == nullptr) {
      return RetryAfter(absl::StatusCode::kAborted, "another stream is sending this blob", absl::Seconds(1));
    }
    if (!is_new && (found->second.session->name().blob.sha256 != name.blob.sha256 ||
                    found->second.session->name().blob.size != name.blob.size)) {
      return InvalidField("resource_name", "names another blob than its upload");
    }
    if (!is_new) return std::move(found->second.session);
  }
  absl::StatusOr<std::unique_ptr<UploadSession>> session = Open(name);
  if (!session.ok()) {
    Forget(name.upload_id);
    return session;
  }
  std::lock_guard lock(mutex_);
  sessions_[name.upload_id].durable = (*session)->durable();
  return session;
}

void UploadSessions::GiveBack(std::unique_ptr<UploadSession> session) {
  const std::string id = session->name().upload_id, tenant = session->name().tenant;
  // Without a flush the digest would be ahead of the durable bytes.
  const bool durable = session->Sync().ok();
  std::lock_guard lock(mutex_);
  const bool discarded = sessions_[id].discarded;
  if (discarded) {
    if (absl::Status status = session->Discard(); !status.ok())
      spdlog::warn("upload {} leaves bytes: {}", id, std::string(status.message()));
  }
  if (!durable || discarded) {
    sessions_.erase(id);
    return;
  }
  const int64_t size = session->durable();
  sessions_[id] = {tenant, std::move(session), size, ++uses_, false};
  CloseOldest();
}

void UploadSessions::CloseOldest() {
  constexpr int kMostWaiting = 64;
  int waiting = 0;
  auto oldest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (it->second.session == nullptr) continue;
    ++waiting;
    if (oldest == sessions_.end() || it->second.last_use < oldest->second.last_use) oldest = it;
  }
  if (waiting > kMostWaiting) sessions_.erase(oldest);
}

void UploadSessions::Forget(const std::string& upload_id) {
  std::lock_guard lock(mutex_);
  sessions_.erase(upload_id);
}

absl::Status UploadSessions::Discard(const std::string& upload_id) {
  std::lock_guard lock(mutex_);
  auto found = sessions_.find(upload_id);
  if (found != sessions_.end() && found->second.session == nullptr) {
    found->second.discarded = true;
    return absl::OkStatus();
  }
  if (found != sessions_.end()) sessions_.erase(found);
  return context_.objects.DiscardUpload(upload_id);
}

absl::StatusOr<int64_t> UploadSessions::DurableSize(const UploadName& name) {
  {
    std::lock_guard lock(mutex_);
    auto found = sessions_.find(name.upload_id);
    if (found != sessions_.end() && found->second.tenant == name.tenant) return found->second.durable;
  }
  // Checks the name; an upload without bytes is not opened for that.
  ASSIGN_OR_RETURN(UploadRecord record, context_.catalogue.GetUpload(name.tenant, name.upload_id));
  ASSIGN_OR_RETURN(uint64_t size, context_.objects.UploadSize(record.id));
  if (size == 0) return 0;
  ASSIGN_OR_RETURN(std::unique_ptr<UploadSession> session, Take(name));
  const int64_t durable = session->durable();
  GiveBack(std::move(session));
  return durable;
}

}  // namespace quantd
