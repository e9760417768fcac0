#include "client/blob_fetcher.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random_access_file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace quantd {
namespace {

namespace fs = std::filesystem;
using google::bytestream::ReadRequest;
using google::bytestream::ReadResponse;

absl::StatusOr<Sha256> DigestOf(const RandomAccessFile& file) {
  Sha256 digest;
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (uint64_t offset = 0; offset < file.size(); offset += buffer.size()) {
    const auto chunk = std::span(buffer).first(std::min<uint64_t>(buffer.size(), file.size() - offset));
    RETURN_IF_ERROR(file.ReadAt(offset, chunk));
    digest.Update(chunk);
  }
  return digest;
}

class BlobFetcher {
 public:
  BlobFetcher(const Connection& connection, DirectReads& direct, const v1::ArtifactFile& file,
              const std::string& path, const OnProgress& on_progress)
      : connection_(connection),
        direct_(direct),
        file_(file),
        path_(path),
        part_(path + ".part"),
        on_progress_(on_progress),
        resource_name_(absl::StrCat("blobs/", file.sha256(), "/", file.size())) {}

  absl::Status Run(const RetryLimits& limits) {
    ASSIGN_OR_RETURN(bool complete, IsComplete());
    if (complete) {
      on_progress_(file_.size());
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(OpenPart());
    const bool resumed = offset_ > 0;
    RETURN_IF_ERROR(Read(limits));
    if (digest_.FinishHex() == file_.sha256()) return Publish();
    RETURN_IF_ERROR(StartAgain());
    if (resumed) {
      // What an earlier fetch left was of something else.
      RETURN_IF_ERROR(Read(limits));
      if (digest_.FinishHex() == file_.sha256()) return Publish();
    }
    ::unlink(part_.c_str());
    return absl::DataLossError(
        absl::StrCat(path_, ": the bytes that came have another SHA-256 than the job's; fetch again"));
  }

 private:
  absl::StatusOr<bool> IsComplete() const {
    std::error_code error;
    if (!fs::is_regular_file(path_, error) ||
        fs::file_size(path_, error) != static_cast<uint64_t>(file_.size())) {
      return false;
    }
    ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, OpenLocalFile(path_));
    ASSIGN_OR_RETURN(Sha256 digest, DigestOf(*file));
    return digest.FinishHex() == file_.sha256();
  }

  absl::Status OpenPart() {
    std::error_code error;
    fs::create_directories(fs::path(path_).parent_path(), error);
    fd_ = UniqueFd(::open(part_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd_.valid()) return ErrnoStatus(errno, absl::StrCat("cannot write ", part_));
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0)
      return absl::AbortedError(absl::StrCat(part_, ": another process is fetching this file"));
    ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> part, OpenLocalFile(part_));
    if (part->size() > static_cast<uint64_t>(file_.size())) return StartAgain();
    ASSIGN_OR_RETURN(digest_, DigestOf(*part));
    offset_ = static_cast<int64_t>(part->size());
    on_progress_(offset_);
    return absl::OkStatus();
  }

  absl::Status StartAgain() {
    if (::ftruncate(fd_.get(), 0) != 0) return ErrnoStatus(errno, absl::StrCat("cannot truncate ", part_));
    on_progress_(-offset_);
    digest_ = Sha256();
    offset_ = 0;
    return absl::OkStatus();
  }

  absl::Status Read(const RetryLimits& limits) {
    RETURN_IF_ERROR(ReadDirectly(limits));
    return RetryUnavailable([&] { return offset_ == file_.size() ? absl::OkStatus() : ReadOnce(); },
                            [&] { return offset_; }, limits);
  }

  // As much as comes that way.
  absl::Status ReadDirectly(const RetryLimits& limits) {
    DirectBlob blob(direct_, resource_name_);
    while (direct_.usable() && offset_ < file_.size()) {
      const int64_t count = std::min(DirectBlob::kMostBytes, file_.size() - offset_);
      const absl::StatusOr<std::string> bytes = blob.Read(offset_, count, limits);
      if (absl::IsUnimplemented(bytes.status())) return absl::OkStatus();
      if (!bytes.ok()) return Annotate(bytes.status(), file_.path());
      RETURN_IF_ERROR(Append(*bytes));
    }
    return absl::OkStatus();
  }

  absl::Status ReadOnce() {
    ReadRequest request;
    request.set_resource_name(resource_name_);
    request.set_read_offset(offset_);
    grpc::ClientContext context;
    connection_.Prepare(context);
    auto stream = connection_.bytes->Read(&context, request);
    ReadResponse response;
    while (stream->Read(&response)) {
      if (absl::Status status = Append(response.data()); !status.ok()) {
        context.TryCancel();
        static_cast<void>(stream->Finish());
        return status;
      }
    }
    const absl::Status status = connection_.StatusOfStream(stream->Finish());
    if (status.ok() && offset_ < file_.size())
      return absl::UnavailableError("the server ended the stream before the blob was complete");
    return Annotate(status, file_.path());
  }

  absl::Status Append(const std::string& bytes) {
    if (static_cast<int64_t>(bytes.size()) > file_.size() - offset_)
      return absl::DataLossError(
          absl::StrCat(path_, ": the server sends more than ", file_.size(), " bytes"));
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t written = ::write(fd_.get(), bytes.data() + at, bytes.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", part_));
      at += static_cast<size_t>(written);
    }
    digest_.Update(std::string_view(bytes));
    offset_ += static_cast<int64_t>(bytes.size());
    on_progress_(static_cast<int64_t>(bytes.size()));
    return absl::OkStatus();
  }

  absl::Status Publish() {
    if (::fsync(fd_.get()) != 0) return ErrnoStatus(errno, absl::StrCat("cannot flush ", part_));
    if (::rename(part_.c_str(), path_.c_str()) != 0)
      return ErrnoStatus(errno, absl::StrCat("cannot rename ", part_));
    return absl::OkStatus();
  }

  const Connection& connection_;
  DirectReads& direct_;
  const v1::ArtifactFile& file_;
  const std::string& path_;
  const std::string part_;
  const OnProgress& on_progress_;
  const std::string resource_name_;
  UniqueFd fd_;
  Sha256 digest_;
  int64_t offset_ = 0;
};

}  // namespace

absl::Status FetchBlob(const Connection& connection, DirectReads& direct, const v1::ArtifactFile& file,
                       const std::string& path, const OnProgress& on_progress, const RetryLimits& limits) {
  return BlobFetcher(connection, direct, file, path, on_progress).Run(limits);
}

}  // namespace quantd
