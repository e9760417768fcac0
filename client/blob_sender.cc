#include "client/blob_sender.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

using google::bytestream::QueryWriteStatusRequest;
using google::bytestream::QueryWriteStatusResponse;
using google::bytestream::WriteRequest;
using google::bytestream::WriteResponse;

constexpr int64_t kChunk = 1 << 20;
// A server that was restarted reads the durable bytes once, for their digest.
constexpr absl::Duration kQueryTimeout = absl::Minutes(5);

class BlobSender {
 public:
  BlobSender(const Connection& connection, const std::string& resource_name, const LocalBlob& blob,
             const OnProgress& on_progress)
      : connection_(connection), resource_name_(resource_name), blob_(blob), on_progress_(on_progress) {}

  absl::Status SendOnce(const RetryLimits& limits) {
    QueryWriteStatusRequest query;
    query.set_resource_name(resource_name_);
    QueryWriteStatusResponse durable;
    RETURN_IF_ERROR(connection_.Call(
        [&](grpc::ClientContext& context) {
          return connection_.bytes->QueryWriteStatus(&context, query, &durable);
        },
        kQueryTimeout, limits));
    if (durable.committed_size() < 0 || durable.committed_size() > blob_.size()) {
      return absl::DataLossError(
          absl::StrCat("the server has ", durable.committed_size(), " bytes of a blob of ", blob_.size()));
    }
    MoveTo(durable.committed_size());
    return durable.complete() ? absl::OkStatus() : Stream();
  }

  int64_t sent() const { return sent_; }

 private:
  void MoveTo(int64_t offset) {
    on_progress_(offset - sent_);
    sent_ = offset;
  }

  absl::Status Stream() {
    grpc::ClientContext context;
    connection_.Prepare(context);
    WriteResponse response;
    auto stream = connection_.bytes->Write(&context, &response);
    // An empty blob has one message, too.
    for (bool last = false; !last;) {
      const int64_t count = std::min(kChunk, blob_.size() - sent_);
      last = sent_ + count == blob_.size();
      absl::StatusOr<std::string> bytes = blob_.Read(sent_, count);
      if (!bytes.ok()) {
        context.TryCancel();
        static_cast<void>(stream->Finish());
        return bytes.status();
      }
      WriteRequest request;
      request.set_resource_name(resource_name_);
      request.set_write_offset(sent_);
      request.set_finish_write(last);
      request.set_data(*std::move(bytes));
      // When it breaks, Finish tells why.
      if (!stream->Write(request)) break;
      MoveTo(sent_ + count);
    }
    stream->WritesDone();
    absl::Status status = connection_.StatusOfStream(stream->Finish());
    if (status.ok() && response.committed_size() != blob_.size())
      return absl::UnavailableError("the server ended the stream before the blob was complete");
    return status;
  }

  const Connection& connection_;
  const std::string& resource_name_;
  const LocalBlob& blob_;
  const OnProgress& on_progress_;
  int64_t sent_ = 0;
};

}  // namespace

absl::Status SendBlob(const Connection& connection, const std::string& resource_name, const LocalBlob& blob,
                      const OnProgress& on_progress, const RetryLimits& limits) {
  BlobSender sender(connection, resource_name, blob, on_progress);
  return RetryUnavailable([&] { return sender.SendOnce(limits); }, [&] { return sender.sent(); }, limits);
}

}  // namespace quantd
