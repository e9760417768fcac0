#include "server/rpc/admin_service.h"

#include "base/status.h"
#include "server/rpc/status_mapping.h"

namespace quantd {

grpc::ServerUnaryReactor* AdminServiceImpl::CollectGarbage(grpc::CallbackServerContext* call,
                                                           const v1::CollectGarbageRequest* request,
                                                           v1::CollectGarbageResponse* response) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.disk.Submit([this, call, reactor, request, response] {
    reactor->Finish(ToGrpc([&]() -> absl::Status {
      RETURN_IF_ERROR(context_.access.Check(*call, "/quantd.v1.AdminService/CollectGarbage").status());
      ASSIGN_OR_RETURN(*response, collector_.Collect(request->dry_run()));
      return absl::OkStatus();
    }()));
  });
  return reactor;
}

}  // namespace quantd
