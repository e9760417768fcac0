// quantd.v1.ModelService and CapabilityService. Thread-safe.
#pragma once

#include "quantd/v1/capability_service.grpc.pb.h"
#include "quantd/v1/model_service.grpc.pb.h"
#include "server/rpc/upload_sessions.h"
#include "server/server_context.h"

namespace quantd {

class ModelServiceImpl final : public v1::ModelService::CallbackService {
 public:
  ModelServiceImpl(ServerContext& context, UploadSessions& uploads) : context_(context), uploads_(uploads) {}

  grpc::ServerUnaryReactor* CreateModel(grpc::CallbackServerContext* call,
                                        const v1::CreateModelRequest* request,
                                        v1::CreateModelResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* call, const v1::GetModelRequest* request,
                                     v1::Model* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* call,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteModel(grpc::CallbackServerContext* call,
                                        const v1::DeleteModelRequest* request,
                                        google::protobuf::Empty* response) override;

 private:
  absl::Status Create(const std::string& tenant, const v1::CreateModelRequest& request,
                      v1::CreateModelResponse& response);
  // How much of a blob that is not recorded is in the store.
  absl::StatusOr<int64_t> BytesOfUpload(const std::string& tenant, const BlobId& blob);

  ServerContext& context_;
  UploadSessions& uploads_;
};

class CapabilityServiceImpl final : public v1::CapabilityService::CallbackService {
 public:
  explicit CapabilityServiceImpl(ServerContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* GetCapabilities(grpc::CallbackServerContext* call,
                                            const v1::GetCapabilitiesRequest* request,
                                            v1::Capabilities* response) override;

 private:
  ServerContext& context_;
};

// Size of a page from a request: 0 means 50, at most 1000.
absl::StatusOr<int> PageSize(int requested);

}  // namespace quantd
