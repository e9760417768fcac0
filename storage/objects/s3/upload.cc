#include "storage/objects/s3/upload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/random_id.h"
#include "base/relative_path.h"
#include "base/status.h"
#include "storage/objects/s3/joined_file.h"
#include "storage/objects/s3/parallel.h"
#include "storage/objects/s3/reader.h"

namespace quantd::s3 {
namespace {

constexpr size_t kMostParts = 10000;

std::string PieceKey(const std::string& folder, uint64_t offset) {
  return absl::StrCat(folder, absl::StrFormat("%020d", offset));
}

absl::Status RemoveAll(Client& client, std::span<const ObjectInfo> objects) {
  return ForEachInParallel(objects.size(), [&](size_t i) { return client.Remove(objects[i].key); });
}

// Of the pieces in order, how many join each other from offset 0 on.
size_t CountJoined(const std::string& folder, const std::vector<ObjectInfo>& pieces) {
  uint64_t end = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].key != PieceKey(folder, end)) return i;
    end += pieces[i].size;
    // No piece follows a short one.
    if (pieces[i].size < kLeastPiece) return i + 1;
  }
  return pieces.size();
}

uint64_t TotalSize(std::span<const ObjectInfo> pieces) {
  uint64_t size = 0;
  for (const ObjectInfo& piece : pieces) size += piece.size;
  return size;
}

class Upload final : public ResumableUpload {
 public:
  Upload(Client& client, BlockCache& cache, std::string folder, std::string objects)
      : client_(client), cache_(cache), folder_(std::move(folder)), objects_(std::move(objects)) {}

  // Takes over what is there, or begins.
  absl::Status Open() {
    ASSIGN_OR_RETURN(ListPage found, client_.List(folder_, false));
    size_t joined = CountJoined(folder_, found.objects);
    if (joined < found.objects.size()) {
      // The pages of a list are of different moments: another process may be writing.
      ASSIGN_OR_RETURN(found, client_.List(folder_, false));
      joined = CountJoined(folder_, found.objects);
    }
    RETURN_IF_ERROR(RemoveAll(client_, std::span(found.objects).subspan(joined)));
    found.objects.resize(joined);
    closed_ = std::move(found.objects);
    durable_ = closed_size_ = TotalSize(closed_);
    if (closed_.empty()) return WriteTail();
    if (closed_.back().size >= kLeastPiece) return absl::OkStatus();
    return LoadTail();
  }

  uint64_t durable_size() const override { return durable_; }

  absl::Status Append(std::span<const std::byte> bytes) override {
    RETURN_IF_ERROR(failed_);
    while (!bytes.empty()) {
      const auto part = bytes.first(std::min<size_t>(kMostPiece - tail_.size(), bytes.size()));
      tail_.append(reinterpret_cast<const char*>(part.data()), part.size());
      bytes = bytes.subspan(part.size());
      if (tail_.size() < kMostPiece) continue;
      failed_ = Sync();
      RETURN_IF_ERROR(failed_);
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    RETURN_IF_ERROR(failed_);
    if (durable_ == closed_size_ + tail_.size()) return absl::OkStatus();
    RETURN_IF_ERROR(WriteTail());
    durable_ = closed_size_ + tail_.size();
    if (tail_.size() >= kLeastPiece) CloseTail();
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> ReadBack() override {
    RETURN_IF_ERROR(Sync());
    std::vector<std::unique_ptr<RandomAccessFile>> files;
    for (const ObjectInfo& piece : closed_) {
      ASSIGN_OR_RETURN(ObjectState state, client_.Head(piece.key));
      files.push_back(OpenReader(client_, cache_, piece.key, std::move(state)));
    }
    files.push_back(MakeMemoryFile(tail_));
    return JoinFiles(std::move(files));
  }

  absl::Status Commit(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    RETURN_IF_ERROR(Sync());
    std::vector<ObjectInfo> pieces = closed_;
    if (!tail_.empty() || pieces.empty()) pieces.push_back({PieceKey(folder_, closed_size_), tail_.size()});
    RETURN_IF_ERROR(pieces.size() == 1 ? client_.Copy(pieces[0].key, objects_ + key)
                                       : Compose(pieces, objects_ + key));
    return RemoveUpload(client_, folder_);
  }

  absl::Status Discard() override { return RemoveUpload(client_, folder_); }

 private:
  // The last piece is short: it goes on in memory.
  absl::Status LoadTail() {
    const ObjectInfo piece = closed_.back();
    ASSIGN_OR_RETURN(ObjectState state, client_.Head(piece.key));
    if (state.size > 0) {
      ASSIGN_OR_RETURN(tail_, client_.Get(piece.key, state, 0, state.size, nullptr));
    }
    closed_.pop_back();
    closed_size_ -= piece.size;
    durable_ = closed_size_ + tail_.size();
    tail_etag_ = state.etag;
    return absl::OkStatus();
  }

  absl::Status WriteTail() {
    absl::StatusOr<std::string> etag =
        client_.Put(PieceKey(folder_, closed_size_), std::as_bytes(std::span(tail_)), RandomId(),
                    {.absent = tail_etag_.empty(), .etag = tail_etag_});
    if (absl::IsAborted(etag.status()))
      return absl::AbortedError(absl::StrCat(folder_, ": another process goes on with this upload"));
    RETURN_IF_ERROR(etag.status());
    tail_etag_ = *std::move(etag);
    return absl::OkStatus();
  }

  void CloseTail() {
    closed_.push_back({PieceKey(folder_, closed_size_), tail_.size()});
    closed_size_ += tail_.size();
    tail_.clear();
    tail_.shrink_to_fit();
    tail_etag_.clear();
  }

  absl::Status Compose(const std::vector<ObjectInfo>& pieces, const std::string& key) {
    if (pieces.size() > kMostParts)
      return absl::ResourceExhaustedError(absl::StrCat(folder_, " came in more pieces than S3 can join"));
    const std::string mark = RandomId();
    ASSIGN_OR_RETURN(std::string upload_id, client_.CreateMultipart(key, mark));
    std::vector<std::string> etags(pieces.size());
    absl::Status status = ForEachInParallel(pieces.size(), [&](size_t i) -> absl::Status {
      ASSIGN_OR_RETURN(etags[i], client_.CopyPart(pieces[i].key, key, upload_id, i + 1));
      return absl::OkStatus();
    });
    if (status.ok()) status = client_.CompleteMultipart(key, upload_id, etags, TotalSize(pieces), mark);
    // What can not be aborted now is aborted when it is stale.
    if (!status.ok()) client_.AbortMultipart(key, upload_id).IgnoreError();
    return status;
  }

  Client& client_;
  BlockCache& cache_;
  const std::string folder_;
  const std::string objects_;
  std::vector<ObjectInfo> closed_;  // pieces that stay as they are, in order
  uint64_t closed_size_ = 0;
  std::string tail_;       // the piece after those
  std::string tail_etag_;  // of its stored form; empty when there is none
  uint64_t durable_ = 0;
  // Of an Append that took only a part of its bytes: what is durable must be looked up by opening it again.
  absl::Status failed_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ResumableUpload>> OpenUpload(Client& client, BlockCache& cache,
                                                            std::string folder, std::string objects) {
  auto upload = std::make_unique<Upload>(client, cache, std::move(folder), std::move(objects));
  RETURN_IF_ERROR(upload->Open());
  return upload;
}

absl::StatusOr<uint64_t> SizeOfUpload(Client& client, const std::string& folder) {
  ASSIGN_OR_RETURN(ListPage found, client.List(folder, false));
  return TotalSize(std::span(found.objects).first(CountJoined(folder, found.objects)));
}

absl::Status RemoveUpload(Client& client, const std::string& folder) {
  ASSIGN_OR_RETURN(ListPage found, client.List(folder, false));
  return RemoveAll(client, found.objects);
}

}  // namespace quantd::s3
