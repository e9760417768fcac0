// quantd.v1.BlobService. Thread-safe.
#pragma once

#include "quantd/v1/blob_service.grpc.pb.h"
#include "server/server_context.h"

namespace quantd {

class BlobServiceImpl final : public v1::BlobService::CallbackService {
 public:
  // With `gives_urls` false every call is UNIMPLEMENTED, as with a store that has no URLs.
  BlobServiceImpl(ServerContext& context, bool gives_urls) : context_(context), gives_urls_(gives_urls) {}

  grpc::ServerUnaryReactor* GetBlobUrl(grpc::CallbackServerContext* call,
                                       const v1::GetBlobUrlRequest* request, v1::BlobUrl* response) override;

 private:
  absl::Status MakeUrl(const std::string& tenant, const v1::GetBlobUrlRequest& request,
                       v1::BlobUrl& response);

  ServerContext& context_;
  const bool gives_urls_;
};

}  // namespace quantd
