// A local file that must stay as it is while it is sent.
#pragma once

#include <ctime>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace quantd {

// Open for reading. Safe for concurrent use.
class LocalBlob {
 public:
  static absl::StatusOr<std::unique_ptr<LocalBlob>> Open(const std::string& path);

  // In bytes, when it was opened.
  int64_t size() const { return size_; }

  // `count` bytes from `offset`. FAILED_PRECONDITION when the file has changed since it was opened.
  absl::StatusOr<std::string> Read(int64_t offset, int64_t count) const;

  // FAILED_PRECONDITION when size or time of change differ from those at Open, or the path names another
  // file.
  absl::Status CheckUnchanged() const;

 private:
  LocalBlob() = default;
  std::string path_;
  UniqueFd fd_;
  int64_t size_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  timespec modified_{};
};

}  // namespace quantd
