#include "storage/objects/s3/joined_file.h"

#include <algorithm>

#include "base/status.h"

namespace quantd::s3 {
namespace {

class JoinedFile final : public RandomAccessFile {
 public:
  explicit JoinedFile(std::vector<std::unique_ptr<RandomAccessFile>> files) : files_(std::move(files)) {
    for (const auto& file : files_) size_ += file->size();
  }

  uint64_t size() const override { return size_; }

  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size_ || out.size() > size_ - offset)
      return absl::OutOfRangeError("the range passes the end of what was uploaded");
    for (const auto& file : files_) {
      if (out.empty()) break;
      if (offset >= file->size()) {
        offset -= file->size();
        continue;
      }
      const auto part = out.first(std::min<uint64_t>(out.size(), file->size() - offset));
      RETURN_IF_ERROR(file->ReadAt(offset, part));
      out = out.subspan(part.size());
      offset = 0;
    }
    return absl::OkStatus();
  }

 private:
  std::vector<std::unique_ptr<RandomAccessFile>> files_;
  uint64_t size_ = 0;
};

}  // namespace

std::unique_ptr<RandomAccessFile> JoinFiles(std::vector<std::unique_ptr<RandomAccessFile>> files) {
  return std::make_unique<JoinedFile>(std::move(files));
}

}  // namespace quantd::s3
