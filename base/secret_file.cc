#include "base/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace quantd {

absl::StatusOr<std::string> ReadSecretFile(const std::string& path, uint64_t limit) {
  // A pipe without a writer would block the call.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return ErrnoStatus(errno, path);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return ErrnoStatus(errno, path);
  if (!S_ISREG(facts.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": is no regular file"));
  const mode_t allowed = facts.st_uid == 0 ? S_IRWXU | S_IRGRP : S_IRWXU;
  if (const mode_t mode = facts.st_mode & 0777; (mode & ~allowed) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": others can read it or write to it (mode ",
                                                      absl::StrFormat("%04o", mode),
                                                      "); `chmod 600` makes it its owner's"));
  }
  std::string text;
  std::vector<char> buffer(4096);
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) return ErrnoStatus(errno, path);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > limit)
      return absl::InvalidArgumentError(absl::StrCat(path, ": is larger than ", limit, " bytes"));
  }
}

}  // namespace quantd
