// quantd.v1.JobService. Thread-safe.
#pragma once

#include <memory>

#include "quantd/v1/job_service.grpc.pb.h"
#include "server/queue/dispatcher.h"
#include "server/queue/watch_hub.h"
#include "server/rpc/call_scope.h"
#include "server/server_context.h"

namespace quantd {

class JobServiceImpl final : public v1::JobService::CallbackService {
 public:
  JobServiceImpl(ServerContext& context, Dispatcher& dispatcher, WatchHub& hub)
      : context_(context), dispatcher_(dispatcher), hub_(hub) {}

  grpc::ServerUnaryReactor* CreateJob(grpc::CallbackServerContext* call, const v1::CreateJobRequest* request,
                                      v1::CreateJobResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* call, const v1::GetJobRequest* request,
                                   v1::Job* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* call, const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* call, const v1::CancelJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* DeleteJob(grpc::CallbackServerContext* call, const v1::DeleteJobRequest* request,
                                      google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* WatchJob(grpc::CallbackServerContext* call,
                                                   const v1::WatchJobRequest* request) override;

 private:
  // Format, scheme and option names against what the workers reported.
  absl::Status CheckRequest(const v1::CreateJobRequest& request) const;
  void PlanOnly(const std::shared_ptr<CallScope>& scope, grpc::ServerUnaryReactor* reactor,
                const v1::CreateJobRequest& request, v1::CreateJobResponse* response);
  absl::Status Queue(const std::string& tenant, const v1::CreateJobRequest& request,
                     v1::CreateJobResponse& response);

  ServerContext& context_;
  Dispatcher& dispatcher_;
  WatchHub& hub_;
};

}  // namespace quantd
