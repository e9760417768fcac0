// quantd.v1.WorkerService. Thread-safe.
#pragma once

#include "quantd/v1/worker_service.grpc.pb.h"
#include "server/queue/dispatcher.h"
#include "server/server_context.h"

namespace quantd {

class WorkerServiceImpl final : public v1::WorkerService::CallbackService {
 public:
  WorkerServiceImpl(ServerContext& context, Dispatcher& dispatcher)
      : context_(context), dispatcher_(dispatcher) {}

  grpc::ServerUnaryReactor* Lease(grpc::CallbackServerContext* call, const v1::LeaseRequest* request,
                                  v1::LeaseResponse* response) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* call, const v1::HeartbeatRequest* request,
                                      v1::HeartbeatResponse* response) override;
  grpc::ServerUnaryReactor* Complete(grpc::CallbackServerContext* call, const v1::CompleteRequest* request,
                                     google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* Fail(grpc::CallbackServerContext* call, const v1::FailRequest* request,
                                 google::protobuf::Empty* response) override;

 private:
  absl::StatusOr<v1::Assignment> MakeAssignment(const LeaseRecord& lease);
  absl::Status CompleteTask(const v1::CompleteRequest& request);
  absl::Status CompleteJob(const v1::CompleteRequest& request);
  void Record(const v1::WorkerFigures& figures);

  ServerContext& context_;
  Dispatcher& dispatcher_;
};

}  // namespace quantd
