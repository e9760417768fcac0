#include "workers/engine/verification.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/random_access_file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "workers/engine/write_behind.h"

namespace quantd {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

struct FoundTensor {
  StoredTensor described;
  std::string digest;
};

// The digests of all tensors of a file, while its bytes pass front to back.
class TensorDigests {
 public:
  explicit TensorDigests(std::vector<StoredTensor> tensors) : tensors_(std::move(tensors)) {
    std::sort(tensors_.begin(), tensors_.end(),
              [](const StoredTensor& a, const StoredTensor& b) { return a.offset < b.offset; });
  }

  void Update(std::span<const std::byte> chunk) {
    const uint64_t offset = std::exchange(passed_, passed_ + chunk.size()), chunk_end = passed_;
    while (found_.size() < tensors_.size()) {
      const StoredTensor& tensor = tensors_[found_.size()];
      const uint64_t begin = std::max(tensor.offset, offset);
      const uint64_t end = std::min(tensor.offset + tensor.bytes, chunk_end);
      if (begin < end) running_.Update(chunk.subspan(begin - offset, end - begin));
      if (tensor.offset + tensor.bytes > chunk_end) return;
      found_.push_back({tensor, running_.FinishHex()});
      running_ = Sha256();
    }
  }

  std::vector<FoundTensor> Take() { return std::move(found_); }

 private:
  std::vector<StoredTensor> tensors_;
  std::vector<FoundTensor> found_;
  uint64_t passed_ = 0;
  Sha256 running_;
};

absl::Status Differs(const std::string& path, const std::string& what) {
  return absl::DataLossError(absl::StrCat(path, ": ", what, " is not what was written when it is read back"));
}

// Gives what is appended to a function.
class Taker final : public FileSink {
 public:
  using Take = std::function<void(std::span<const std::byte>)>;
  explicit Taker(Take take) : take_(std::move(take)) {}

  absl::Status Append(std::span<const std::byte> bytes) override {
    take_(bytes);
    return absl::OkStatus();
  }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  Take take_;
};

// Reads the file front to back. The file's digest and its tensors' are computed side by side.
absl::Status DigestFile(const RandomAccessFile& file, Sha256& digest, TensorDigests& tensors,
                        const std::function<absl::Status()>& keep_going) {
  WriteBehind whole(std::make_unique<Taker>([&](std::span<const std::byte> bytes) { digest.Update(bytes); }));
  WriteBehind parts(
      std::make_unique<Taker>([&](std::span<const std::byte> bytes) { tensors.Update(bytes); }));
  std::vector<std::byte> buffer(kChunkBytes);
  for (uint64_t offset = 0; offset < file.size(); offset += buffer.size()) {
    const std::span<std::byte> chunk =
        std::span(buffer).first(std::min<uint64_t>(buffer.size(), file.size() - offset));
    RETURN_IF_ERROR(keep_going());
    file.WillRead(offset + kReadAheadBytes, chunk.size());
    RETURN_IF_ERROR(file.ReadAt(offset, chunk));
    file.HasRead(offset, chunk.size());
    RETURN_IF_ERROR(whole.Append(chunk));
    RETURN_IF_ERROR(parts.Append(chunk));
  }
  RETURN_IF_ERROR(whole.Close());
  return parts.Close();
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenFile(const ArtifactStore& artifact,
                                                           const std::string& path) {
  for (const StoredFile& stored : artifact.files()) {
    if (stored.path == path) return artifact.Open(stored);
  }
  return absl::NotFoundError(absl::StrCat("the artifact has no ", path));
}

absl::StatusOr<std::vector<FoundTensor>> ReadFile(const ModelWriter& writer, const ArtifactStore& artifact,
                                                  const StoredFile& stored,
                                                  const std::function<absl::Status()>& keep_going) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, artifact.Open(stored));
  if (file->size() != static_cast<uint64_t>(stored.size)) return Differs(stored.path, "the size");
  absl::StatusOr<std::vector<StoredTensor>> described =
      writer.ReadBack(stored.path, *file, [&](const std::string& path) { return OpenFile(artifact, path); });
  if (!described.ok())
    return Differs(stored.path, absl::StrCat("the header (", std::string(described.status().message()), ")"));
  Sha256 digest;
  TensorDigests tensors(*std::move(described));
  RETURN_IF_ERROR(DigestFile(*file, digest, tensors, keep_going));
  if (digest.FinishHex() != stored.sha256) return Differs(stored.path, "the file");
  return tensors.Take();
}

}  // namespace

absl::Status VerifyTarget(const PlannedTarget& target, const PlaneDigests& digests,
                          const ArtifactStore& artifact, const std::function<absl::Status()>& keep_going) {
  std::map<std::string, FoundTensor> found;
  for (const StoredFile& stored : artifact.files()) {
    ASSIGN_OR_RETURN(std::vector<FoundTensor> tensors,
                     ReadFile(*target.writer, artifact, stored, keep_going));
    for (FoundTensor& tensor : tensors) found[tensor.described.name] = std::move(tensor);
  }
  size_t expected = 0;
  for (size_t t = 0; t < digests.size(); ++t) {
    for (size_t plane = 0; plane < digests[t].size(); ++plane, ++expected) {
      const StoredTensor meant = target.writer->Describe(t, plane);
      const auto tensor = found.find(meant.name);
      if (tensor == found.end() || tensor->second.described.type != meant.type ||
          tensor->second.described.shape != meant.shape || tensor->second.digest != digests[t][plane]) {
        return Differs(meant.name, "the tensor");
      }
    }
  }
  return found.size() == expected ? absl::OkStatus() : Differs("the artifact", "the number of tensors");
}

}  // namespace quantd
