// google.bytestream.ByteStream: all bytes, both ways. Thread-safe.
#pragma once

#include "google/bytestream/bytestream.grpc.pb.h"
#include "server/rpc/upload_sessions.h"
#include "server/server_context.h"

namespace quantd {

class ByteStreamServiceImpl final : public google::bytestream::ByteStream::CallbackService {
 public:
  ByteStreamServiceImpl(ServerContext& context, UploadSessions& sessions)
      : context_(context), sessions_(sessions) {}

  grpc::ServerWriteReactor<google::bytestream::ReadResponse>* Read(
      grpc::CallbackServerContext* call, const google::bytestream::ReadRequest* request) override;
  grpc::ServerReadReactor<google::bytestream::WriteRequest>* Write(
      grpc::CallbackServerContext* call, google::bytestream::WriteResponse* response) override;
  grpc::ServerUnaryReactor* QueryWriteStatus(grpc::CallbackServerContext* call,
                                             const google::bytestream::QueryWriteStatusRequest* request,
                                             google::bytestream::QueryWriteStatusResponse* response) override;

 private:
  ServerContext& context_;
  UploadSessions& sessions_;
};

}  // namespace quantd
