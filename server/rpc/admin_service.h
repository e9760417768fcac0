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

 private:
  ServerContext& context_;
  Collector& collector_;
};

}  // namespace quantd
