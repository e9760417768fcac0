#include "client/fetcher.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/random_access_file.h"
#include "base/relative_path.h"
#include "base/sha256.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "client/errors.h"
#include "client/output.h"

namespace quantd {
namespace {

namespace fs = std::filesystem;
using google::bytestream::ReadRequest;
using google::bytestream::ReadResponse;

// Digest of a whole local file so far.
absl::StatusOr<Sha256> DigestOf(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, OpenLocalFile(path));
  Sha256 digest;
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (uint64_t offset = 0; offset < file->size(); offset += buffer.size()) {
    const auto chunk = std::span(buffer).first(std::min<uint64_t>(buffer.size(), file->size() - offset));
    RETURN_IF_ERROR(file->ReadAt(offset, chunk));
    digest.Update(chunk);
  }
  return digest;
}

class FileFetcher {
 public:
  FileFetcher(Connection& connection, const v1::ArtifactFile& file, std::string path, ProgressLine& progress)
      : connection_(connection),
        file_(file),
        path_(std::move(path)),
        part_(path_ + ".part"),
        progress_(progress) {}

  absl::Status Run() {
    if (fs::exists(path_)) {
      ASSIGN_OR_RETURN(Sha256 digest, DigestOf(path_));
      if (digest.FinishHex() == file_.sha256()) return absl::OkStatus();
    }
    std::error_code error;
    fs::create_directories(fs::path(path_).parent_path(), error);
    fd_ = UniqueFd(::open(part_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!fd_.valid()) return ErrnoStatus(errno, absl::StrCat("cannot write ", part_));
    ASSIGN_OR_RETURN(digest_, DigestOf(part_));
    offset_ = static_cast<int64_t>(fs::file_size(part_, error));
    if (offset_ > file_.size()) RETURN_IF_ERROR(StartAgain());
    RETURN_IF_ERROR(RetryUnavailable([&] { return ReadOnce(); }, [&] { return offset_; }));
    if (digest_.FinishHex() != file_.sha256()) {
      fs::remove(part_, error);
      return absl::DataLossError(absl::StrCat(
          path_, ": the bytes that came have another SHA-256 than the server told; fetch again"));
    }
    if (::fsync(fd_.get()) != 0) return ErrnoStatus(errno, absl::StrCat("cannot flush ", part_));
    fs::rename(part_, path_, error);
    return error ? absl::InternalError(absl::StrCat("cannot rename ", part_, ": ", error.message()))
                 : absl::OkStatus();
  }

 private:
  absl::Status StartAgain() {
    if (::ftruncate(fd_.get(), 0) != 0) return ErrnoStatus(errno, absl::StrCat("cannot truncate ", part_));
    digest_ = Sha256();
    offset_ = 0;
    return absl::OkStatus();
  }

  absl::Status ReadOnce() {
    ReadRequest request;
    request.set_resource_name(absl::StrCat("blobs/", file_.sha256(), "/", file_.size()));
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
      progress_.Update(absl::StrCat("fetching ", file_.path()), offset_, file_.size());
    }
    return FromGrpc(stream->Finish());
  }

  absl::Status Append(std::string_view bytes) {
    digest_.Update(bytes);
    offset_ += static_cast<int64_t>(bytes.size());
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", part_));
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  Connection& connection_;
  const v1::ArtifactFile& file_;
  std::string path_;
  std::string part_;
  ProgressLine& progress_;
  UniqueFd fd_;
  Sha256 digest_;
  int64_t offset_ = 0;
};

}  // namespace

absl::Status FetchResults(Connection& connection, const std::vector<v1::TargetResult>& results,
                          const std::string& directory) {
  ProgressLine progress;
  for (const v1::TargetResult& result : results) {
    RETURN_IF_ERROR(CheckRelativePath(result.directory()));
    for (const v1::ArtifactFile& file : result.files()) {
      RETURN_IF_ERROR(CheckRelativePath(file.path()));
      const std::string path = absl::StrCat(directory, "/", result.directory(), "/", file.path());
      RETURN_IF_ERROR(FileFetcher(connection, file, path, progress).Run());
    }
  }
  return absl::OkStatus();
}

}  // namespace quantd
