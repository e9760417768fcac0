// quantd.v1.AdminService. Thread-safe.
#pragma once

#include "quantd/v1/admin_service.grpc.pb.h"
#include "server/collector.h"
#include "server/server_context.h"

namespace quantd {

class AdminServiceImpl final : public v1::AdminService::CallbackService {
 public:
  AdminServiceImpl(ServerContext& context, Collector& collector) : context_(context), collector_(collector) {}

  grpc::ServerUnaryReactor* CollectGarbage(grpc::CallbackServerContext* call,
                                           const v1::CollectGarbageRequest* request,
                                           v1::CollectGarbageResponse* response) override;
  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* call,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) override;
  grpc::ServerUnaryReactor* ListTokens(grpc::CallbackServerContext* call,
                                       const v1::ListTokensRequest* request,
                                       v1::ListTokensResponse* response) override;
  grpc::ServerUnaryReactor* RevokeToken(grpc::CallbackServerContext* call,
                                        const v1::RevokeTokenRequest* request, v1::Token* response) override;

 private:
  absl::Status CheckTenant(const std::string& tenant) const;

  ServerContext& context_;
  Collector& collector_;
};

}  // namespace quantd
