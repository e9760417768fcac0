#include "server/rpc/blob_service.h"

#include "absl/time/clock.h"
#include "base/status.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/resource_names.h"

namespace quantd {
namespace {

// Long enough for one file over a slow line to begin; a reader that goes on after that asks again.
constexpr absl::Duration kLifetime = absl::Minutes(15);

}  // namespace

absl::Status BlobServiceImpl::MakeUrl(const std::string& tenant, const v1::GetBlobUrlRequest& request,
                                      v1::BlobUrl& response) {
  if (!gives_urls_) return absl::UnimplementedError("this server gives no URLs; use ByteStream.Read");
  ASSIGN_OR_RETURN(const BlobId blob, ParseBlobName(request.resource_name()));
  ASSIGN_OR_RETURN(const std::string key, context_.catalogue.UseBlob(tenant, blob));
  ASSIGN_OR_RETURN(*response.mutable_url(), context_.objects.PresignedUrl(key, kLifetime));
  response.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(absl::Now() + kLifetime));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* BlobServiceImpl::GetBlobUrl(grpc::CallbackServerContext* call,
                                                      const v1::GetBlobUrlRequest* request,
                                                      v1::BlobUrl* response) {
  // Keys of the store may have to be fetched.
  return AnswerOnDisk(context_, call, "/quantd.v1.BlobService/GetBlobUrl",
                      [this, request, response](const Caller& caller, CallScope& /*scope*/) {
                        return MakeUrl(caller.tenant, *request, *response);
                      });
}

}  // namespace quantd
