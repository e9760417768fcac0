#include "base/random_access_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace quantd {
namespace {

absl::Status CheckRange(uint64_t size, uint64_t offset, uint64_t length) {
  if (offset > size || length > size - offset) {
    return absl::OutOfRangeError(
        absl::StrCat("bytes ", offset, "+", length, " pass the end of the file (", size, " bytes)"));
  }
  return absl::OkStatus();
}

class LocalFile : public RandomAccessFile {
 public:
  LocalFile(UniqueFd fd, uint64_t size, std::string path)
      : fd_(std::move(fd)), size_(size), path_(std::move(path)) {}

  uint64_t size() const override { return size_; }

  void WillRead(uint64_t offset, uint64_t length) const override {
    ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
  }
  void HasRead(uint64_t offset, uint64_t length) const override {
    ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_DONTNEED);
  }

  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    RETURN_IF_ERROR(CheckRange(size_, offset, out.size()));
    while (!out.empty()) {
      ssize_t got = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", path_));
      if (got == 0) return absl::DataLossError(absl::StrCat(path_, " became shorter while it was read"));
      out = out.subspan(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
    return absl::OkStatus();
  }

 private:
  UniqueFd fd_;
  uint64_t size_;
  std::string path_;
};

class MemoryFile : public RandomAccessFile {
 public:
  explicit MemoryFile(std::string bytes) : bytes_(std::move(bytes)) {}

  uint64_t size() const override { return bytes_.size(); }

  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    RETURN_IF_ERROR(CheckRange(bytes_.size(), offset, out.size()));
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return absl::OkStatus();
  }

 private:
  std::string bytes_;
};

}  // namespace

void RandomAccessFile::WillRead(uint64_t, uint64_t) const {}
void RandomAccessFile::HasRead(uint64_t, uint64_t) const {}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenLocalFile(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("cannot stat ", path));
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  return std::make_unique<LocalFile>(std::move(fd), static_cast<uint64_t>(info.st_size), path);
}

std::unique_ptr<RandomAccessFile> MakeMemoryFile(std::string bytes) {
  return std::make_unique<MemoryFile>(std::move(bytes));
}

absl::StatusOr<std::string> ReadAll(const RandomAccessFile& file, uint64_t limit) {
  if (file.size() > limit) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", file.size(), " bytes, more than the ",
                                                   limit, " that are allowed here"));
  }
  std::string text(file.size(), '\0');
  RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace quantd
