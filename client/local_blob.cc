#include "client/local_blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {

absl::StatusOr<std::unique_ptr<LocalBlob>> LocalBlob::Open(const std::string& path) {
  std::unique_ptr<LocalBlob> blob(new LocalBlob());
  blob->path_ = path;
  blob->fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!blob->fd_.valid()) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  struct stat info;
  if (::fstat(blob->fd_.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("cannot stat ", path));
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  blob->size_ = info.st_size;
  blob->device_ = info.st_dev;
  blob->inode_ = info.st_ino;
  blob->modified_ = info.st_mtim;
  return blob;
}

absl::Status LocalBlob::CheckUnchanged() const {
  struct stat info;
  if (::stat(path_.c_str(), &info) == 0 && info.st_size == size_ && info.st_dev == device_ &&
      info.st_ino == inode_ && info.st_mtim.tv_sec == modified_.tv_sec &&
      info.st_mtim.tv_nsec == modified_.tv_nsec) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(path_, " changed while it was uploaded; upload again when nothing writes to it"));
}

absl::StatusOr<std::string> LocalBlob::Read(int64_t offset, int64_t count) const {
  std::string bytes(static_cast<size_t>(count), '\0');
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t got =
        ::pread(fd_.get(), bytes.data() + at, bytes.size() - at, offset + static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", path_));
    if (got == 0) break;
    at += static_cast<size_t>(got);
  }
  // After the bytes were read: what changed before or meanwhile shows.
  RETURN_IF_ERROR(CheckUnchanged());
  return bytes;
}

}  // namespace quantd
