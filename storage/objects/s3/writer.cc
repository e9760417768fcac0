#include "storage/objects/s3/writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>

#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/status.h"

namespace quantd::s3 {
namespace {

constexpr size_t kMostParts = 10000;
constexpr size_t kPartsOfOneSize = 2000;
constexpr size_t kPartsInFlight = 2;

class Writer final : public ObjectWriter {
 public:
  Writer(Client& client, std::string key) : client_(client), key_(std::move(key)) {}
  ~Writer() override {
    if (committed_ || upload_id_.empty()) return;
    given_up_ = true;
    in_flight_.clear();  // waits
    // The upload may be there although an attempt to end it failed.
    if (absl::Status status = client_.AbortMultipart(key_, upload_id_); !status.ok())
      spdlog::warn("parts of {} stay until they are stale: {}", key_, std::string(status.message()));
  }

  absl::Status Append(std::span<const std::byte> bytes) override {
    RETURN_IF_ERROR(failed_);
    while (!bytes.empty()) {
      const size_t room = PartBytes(parts_) - buffer_.size();
      const auto piece = bytes.first(std::min(room, bytes.size()));
      buffer_.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      bytes = bytes.subspan(piece.size());
      if (piece.size() == room) RETURN_IF_ERROR(SendPart());
    }
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    RETURN_IF_ERROR(failed_);
    if (upload_id_.empty()) {
      RETURN_IF_ERROR(client_.Put(key_, std::as_bytes(std::span(buffer_)), mark_, {}).status());
    } else {
      if (!buffer_.empty()) RETURN_IF_ERROR(SendPart());
      while (!in_flight_.empty()) RETURN_IF_ERROR(FinishOldest());
      RETURN_IF_ERROR(client_.CompleteMultipart(key_, upload_id_, etags_, size_, mark_));
    }
    committed_ = true;
    return absl::OkStatus();
  }

 private:
  // The buffer goes on its way as the next part.
  absl::Status SendPart() {
    if (parts_ == kMostParts)
      return absl::ResourceExhaustedError(absl::StrCat(key_, " is larger than S3's parts can make"));
    if (upload_id_.empty()) {
      ASSIGN_OR_RETURN(upload_id_, client_.CreateMultipart(key_, mark_));
    }
    while (in_flight_.size() >= kPartsInFlight) RETURN_IF_ERROR(FinishOldest());
    ++parts_;
    size_ += buffer_.size();
    in_flight_.push_back(std::async([this, number = parts_, bytes = std::move(buffer_)] {
      return client_.PutPart(key_, upload_id_, number, std::as_bytes(std::span(bytes)), &given_up_);
    }));
    buffer_ = std::string();
    return absl::OkStatus();
  }

  absl::Status FinishOldest() {
    absl::StatusOr<std::string> etag = in_flight_.front().get();
    in_flight_.pop_front();
    failed_ = etag.status();
    RETURN_IF_ERROR(failed_);
    etags_.push_back(*std::move(etag));
    return absl::OkStatus();
  }

  Client& client_;
  const std::string key_;
  const std::string mark_ = RandomId();
  std::string buffer_;     // the part that is being filled
  std::string upload_id_;  // empty until the first part is full
  size_t parts_ = 0;       // that went on their way
  uint64_t size_ = 0;      // of those
  std::vector<std::string> etags_;
  std::atomic<bool> given_up_ = false;
  bool committed_ = false;
  absl::Status failed_;  // of a part: the object has a hole, whatever comes now
  // Last: parts that are on their way use what is above.
  std::deque<std::future<absl::StatusOr<std::string>>> in_flight_;
};

}  // namespace

uint64_t PartBytes(size_t part) { return (uint64_t{16} << 20) << (part / kPartsOfOneSize); }

std::unique_ptr<ObjectWriter> OpenWriter(Client& client, std::string key) {
  return std::make_unique<Writer>(client, std::move(key));
}

}  // namespace quantd::s3
