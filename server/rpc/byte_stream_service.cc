#include "server/rpc/byte_stream_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/blob_upkeep.h"
#include "server/metrics/quota_rejections.h"
#include "server/rpc/call_scope.h"

namespace quantd {
namespace {

using google::bytestream::ReadRequest;
using google::bytestream::ReadResponse;
using google::bytestream::WriteRequest;
using google::bytestream::WriteResponse;

// Sends a blob chunk by chunk, the next one when the stream has taken the last. The disk is read by the
// executor. Whoever calls Finish or starts an operation lets go: the reactor may be gone then.
class ReadReactor final : public grpc::ServerWriteReactor<ReadResponse> {
 public:
  ReadReactor(ServerContext& context, grpc::CallbackServerContext& call, const ReadRequest& request)
      : scope_(context, call, "/google.bytestream.ByteStream/Read"), disk_(context.disk) {
    if (absl::Status status = Open(context, request); !status.ok()) {
      Finish(scope_.End(status));
    } else {
      disk_.Submit([this] { WriteNext(); });
    }
  }
  void OnWriteDone(bool ok) override {
    if (ok) return disk_.Submit([this] { WriteNext(); });
    Finish(scope_.End(absl::CancelledError("the reader is gone")));
  }
  void OnDone() override { delete this; }

 private:
  absl::Status Open(ServerContext& context, const ReadRequest& request) {
    RETURN_IF_ERROR(scope_.caller().status());
    ASSIGN_OR_RETURN(BlobId blob, ParseBlobName(request.resource_name()));
    if (request.read_limit() < 0) return InvalidField("read_limit", "is negative");
    if (request.read_offset() < 0 || request.read_offset() > blob.size) {
      return absl::OutOfRangeError(absl::StrCat("read_offset: the blob has ", blob.size, " bytes"));
    }
    ASSIGN_OR_RETURN(std::string key, context.catalogue.UseBlob(scope_.caller()->tenant, blob));
    ASSIGN_OR_RETURN(file_, context.objects.OpenForRead(key));
    position_ = static_cast<uint64_t>(request.read_offset());
    end_ = file_->size();
    if (request.read_limit() > 0)
      end_ = std::min(end_, position_ + static_cast<uint64_t>(request.read_limit()));
    return absl::OkStatus();
  }

  void WriteNext() {
    if (position_ >= end_) return Finish(scope_.End(absl::OkStatus()));
    std::string& data = *response_.mutable_data();
    data.resize(std::min<uint64_t>(kMaxChunkBytes, end_ - position_));
    if (absl::Status status = file_->ReadAt(position_, std::as_writable_bytes(std::span(data)));
        !status.ok()) {
      return Finish(scope_.End(status));
    }
    position_ += data.size();
    StartWrite(&response_);
  }

  CallScope scope_;
  Executor& disk_;
  std::unique_ptr<RandomAccessFile> file_;
  uint64_t position_ = 0;
  uint64_t end_ = 0;
  ReadResponse response_;
};

// Takes a blob chunk by chunk; the disk is written by the executor, one chunk of a stream at a time. As
// above, whoever calls Finish or starts an operation lets go.
class WriteReactor final : public grpc::ServerReadReactor<WriteRequest> {
 public:
  WriteReactor(ServerContext& context, UploadSessions& sessions, grpc::CallbackServerContext& call,
               WriteResponse* response)
      : context_(context),
        sessions_(sessions),
        scope_(context, call, "/google.bytestream.ByteStream/Write"),
        response_(response) {
    context_.metrics.upload_sessions_active.Increment();
    if (absl::Status status = Begin(); !status.ok()) {
      Finish(scope_.End(CountQuota(context_, status)));
    } else {
      StartRead(&request_);
    }
  }

  void OnReadDone(bool ok) override {
    context_.disk.Submit([this, ok] { HandleRead(ok); });
  }

  void OnDone() override {
    context_.metrics.upload_sessions_active.Decrement();
    if (counted_) sessions_.EndStream(scope_.caller()->tenant);
    delete this;
  }

 private:
  absl::Status Begin() {
    RETURN_IF_ERROR(scope_.caller().status());
    RETURN_IF_ERROR(sessions_.BeginStream(scope_.caller()->tenant));
    counted_ = true;
    return absl::OkStatus();
  }

  void HandleRead(bool ok) {
    if (!ok) {
      // The client went away or ended without finish_write: what came is kept.
      const int64_t position = session_ == nullptr ? 0 : session_->position();
      Release();
      response_->set_committed_size(position);
      return Finish(scope_.End(absl::CancelledError("the stream ended before finish_write")));
    }
    const absl::Status status = Handle();
    if (!status.ok()) {
      Release();
      return Finish(scope_.End(status));
    }
    if (complete_) return Finish(scope_.End(absl::OkStatus()));
    StartRead(&request_);
  }

  absl::Status Handle() {
    if (session_ == nullptr) {
      ASSIGN_OR_RETURN(bool present, Open());
      if (present) return absl::OkStatus();
    } else if (!request_.resource_name().empty() && request_.resource_name() != resource_name_) {
      return InvalidField("resource_name", "changed within a stream");
    }
    if (request_.write_offset() != session_->position()) {
      return InvalidField("write_offset",
                          absl::StrCat("is ", request_.write_offset(), ", but the blob goes on at ",
                                       session_->position(), "; ask QueryWriteStatus"));
    }
    if (static_cast<int64_t>(request_.data().size()) > kMaxChunkBytes)
      return InvalidField("data", "is longer than 1 MiB");
    RETURN_IF_ERROR(session_->Append(std::as_bytes(std::span(request_.data()))));
    context_.metrics.upload_bytes.Increment(static_cast<double>(request_.data().size()));
    return request_.finish_write() ? Complete() : absl::OkStatus();
  }

  // True: the store has the blob already, and the stream is done.
  absl::StatusOr<bool> Open() {
    resource_name_ = request_.resource_name();
    scope_.SetResource(resource_name_);
    ASSIGN_OR_RETURN(UploadName name, ParseUploadName(scope_.caller()->tenant, resource_name_));
    ASSIGN_OR_RETURN(bool present, HasBlob(context_, name));
    if (present) {
      response_->set_committed_size(name.blob.size);
      complete_ = true;
      return true;
    }
    RETURN_IF_ERROR(context_.catalogue.UseUpload(name.tenant, name.upload_id));
    ASSIGN_OR_RETURN(session_, sessions_.Take(name));
    if (session_->position() > 0) context_.metrics.upload_resumes.Increment();
    return false;
  }

  absl::Status Complete() {
    std::unique_ptr<UploadSession> session = std::move(session_);
    const UploadName name = session->name();
    const std::string key = BlobObjectKey(name);
    absl::Status status = session->Finish(key);
    if (status.ok()) status = Record(name, key);
    session.reset();
    sessions_.Forget(name.upload_id);
    RETURN_IF_ERROR(status);
    spdlog::info("blob {} complete, {} bytes", name.blob.sha256, name.blob.size);
    response_->set_committed_size(name.blob.size);
    complete_ = true;
    return absl::OkStatus();
  }

  absl::Status Record(const UploadName& name, const std::string& key) {
    absl::Status status = context_.catalogue.FinishUpload(name.tenant, name.upload_id, key);
    if (!absl::IsNotFound(status)) return status;
    // Somebody recorded it already, or its last model was deleted meanwhile.
    absl::Status found = context_.catalogue.FindBlob(name.tenant, name.blob).status();
    if (!absl::IsNotFound(found)) return found;
    RETURN_IF_ERROR(context_.objects.Remove(key));
    return status;
  }

  void Release() {
    if (session_ == nullptr) return;
    const std::string upload = session_->name().upload_id;
    sessions_.GiveBack(std::move(session_));
    if (absl::Status used = context_.catalogue.UseUpload(scope_.caller()->tenant, upload); !used.ok())
      spdlog::warn("the use of an upload was not recorded: {}", std::string(used.message()));
  }

  ServerContext& context_;
  UploadSessions& sessions_;
  CallScope scope_;
  WriteResponse* response_;
  bool counted_ = false;  // as a stream of the tenant's
  WriteRequest request_;
  std::string resource_name_;
  std::unique_ptr<UploadSession> session_;
  bool complete_ = false;
};

}  // namespace

grpc::ServerWriteReactor<ReadResponse>* ByteStreamServiceImpl::Read(grpc::CallbackServerContext* call,
                                                                    const ReadRequest* request) {
  return new ReadReactor(context_, *call, *request);
}

grpc::ServerReadReactor<WriteRequest>* ByteStreamServiceImpl::Write(grpc::CallbackServerContext* call,
                                                                    WriteResponse* response) {
  return new WriteReactor(context_, sessions_, *call, response);
}

grpc::ServerUnaryReactor* ByteStreamServiceImpl::QueryWriteStatus(
    grpc::CallbackServerContext* call, const google::bytestream::QueryWriteStatusRequest* request,
    google::bytestream::QueryWriteStatusResponse* response) {
  return AnswerOnDisk(context_, call, "/google.bytestream.ByteStream/QueryWriteStatus",
                      [this, request, response](const Caller& caller, CallScope& /*scope*/) -> absl::Status {
                        ASSIGN_OR_RETURN(UploadName name,
                                         ParseUploadName(caller.tenant, request->resource_name()));
                        ASSIGN_OR_RETURN(bool present, HasBlob(context_, name));
                        if (present) {
                          response->set_committed_size(name.blob.size);
                          response->set_complete(true);
                          return absl::OkStatus();
                        }
                        ASSIGN_OR_RETURN(int64_t durable, sessions_.DurableSize(name));
                        response->set_committed_size(durable);
                        return absl::OkStatus();
                      });
}

}  // namespace quantd
