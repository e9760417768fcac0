#include "server/rpc/model_service.h"

#include <spdlog/spdlog.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "base/relative_path.h"
#include "base/sha256.h"
#include "base/status.h"
#include "server/blob_upkeep.h"
#include "server/metrics/quota_rejections.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/convert.h"
#include "server/rpc/resource_names.h"

namespace quantd {
namespace {

absl::StatusOr<std::vector<ModelFileRecord>> ReadFiles(const v1::CreateModelRequest& request) {
  if (request.files_size() == 0) return InvalidField("files", "is empty");
  if (request.files_size() > kMaxFilesPerModel)
    return InvalidField("files", absl::StrCat("has more than ", kMaxFilesPerModel));
  std::vector<ModelFileRecord> files;
  std::set<std::string> paths;
  for (int i = 0; i < request.files_size(); ++i) {
    const v1::ModelFile& file = request.files(i);
    const std::string field = absl::StrCat("files[", i, "]");
    if (absl::Status status = CheckRelativePath(file.path()); !status.ok()) {
      return InvalidField(field + ".path", std::string(status.message()));
    }
    if (!paths.insert(file.path()).second)
      return InvalidField(field + ".path", absl::StrCat("\"", file.path(), "\" is there twice"));
    if (!IsSha256Hex(file.sha256()))
      return InvalidField(field + ".sha256", "is not 64 lower-case hexadecimal digits");
    if (file.size() < 0) return InvalidField(field + ".size", "is negative");
    files.push_back({file.path(), {file.sha256(), file.size()}});
  }
  return files;
}

}  // namespace

absl::StatusOr<int> PageSize(int requested) {
  if (requested < 0 || requested > 1000) return InvalidField("page_size", "is not between 0 and 1000");
  return requested == 0 ? 50 : requested;
}

absl::StatusOr<int64_t> ModelServiceImpl::BytesOfUpload(const std::string& tenant, const BlobId& blob) {
  const absl::StatusOr<UploadRecord> upload = context_.catalogue.FindUpload(tenant, blob);
  if (absl::IsNotFound(upload.status())) return 0;
  RETURN_IF_ERROR(upload.status());
  const UploadName name{tenant, upload->id, blob};
  ASSIGN_OR_RETURN(bool complete, HasBlob(context_, name));
  if (complete) return blob.size;
  return uploads_.DurableSize(name);
}

absl::Status ModelServiceImpl::Create(const std::string& tenant, const v1::CreateModelRequest& request,
                                      v1::CreateModelResponse& response) {
  ASSIGN_OR_RETURN(std::vector<ModelFileRecord> files, ReadFiles(request));
  if (request.display_name().size() > 200) return InvalidField("display_name", "is longer than 200 bytes");
  if (request.request_id().size() > 128) return InvalidField("request_id", "is longer than 128 bytes");
  std::set<std::pair<std::string, int64_t>> seen;
  std::vector<ModelFileRecord> missing;
  int64_t missing_bytes = 0, present_bytes = 0;
  for (const ModelFileRecord& file : files) {
    if (!seen.insert({file.blob.sha256, file.blob.size}).second) continue;
    absl::StatusOr<std::string> key = context_.catalogue.FindBlob(tenant, file.blob);
    if (key.ok()) {
      present_bytes += file.blob.size;
      continue;
    }
    if (!absl::IsNotFound(key.status())) return key.status();
    ASSIGN_OR_RETURN(const int64_t stored, BytesOfUpload(tenant, file.blob));
    if (stored == file.blob.size && context_.catalogue.FindBlob(tenant, file.blob).ok()) {
      present_bytes += file.blob.size;
      continue;
    }
    missing.push_back(file);
    if (__builtin_add_overflow(missing_bytes, file.blob.size - stored, &missing_bytes))
      return InvalidField("files", "are too large");
  }
  ASSIGN_OR_RETURN(std::optional<uint64_t> room, context_.objects.FreeBytes());
  if (room.has_value() && *room < static_cast<uint64_t>(missing_bytes)) {
    return RetryAfter(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("the checkpoint needs ", missing_bytes, " bytes, but the store has room for ", *room),
        absl::Minutes(1));
  }
  ASSIGN_OR_RETURN(ModelRecord model, context_.catalogue.CreateModel(tenant, request.display_name(), files,
                                                                     request.request_id()));
  *response.mutable_model() = ToProto(model);
  for (const ModelFileRecord& file : missing) {
    // It may have come meanwhile, by another model's upload.
    if (context_.catalogue.FindBlob(tenant, file.blob).ok()) continue;
    ASSIGN_OR_RETURN(UploadRecord upload, context_.catalogue.BeginUpload(tenant, file.blob));
    v1::MissingBlob* blob = response.add_missing();
    blob->set_path(file.path);
    const UploadName name{tenant, upload.id, file.blob};
    blob->set_resource_name(UploadResourceName(name));
    ASSIGN_OR_RETURN(const int64_t durable, uploads_.DurableSize(name));
    blob->set_committed_size(durable);
  }
  context_.metrics.dedupe_bytes_saved.Increment(static_cast<double>(present_bytes));
  spdlog::info("models/{} created: {} files, {} bytes missing", model.id, files.size(), missing_bytes);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ModelServiceImpl::CreateModel(grpc::CallbackServerContext* call,
                                                        const v1::CreateModelRequest* request,
                                                        v1::CreateModelResponse* response) {
  return AnswerOnDisk(context_, call, "/quantd.v1.ModelService/CreateModel",
                      [this, request, response](const Caller& caller, CallScope& scope) -> absl::Status {
                        RETURN_IF_ERROR(CountQuota(context_, Create(caller.tenant, *request, *response)));
                        scope.SetResource(response->model().name());
                        return absl::OkStatus();
                      });
}

grpc::ServerUnaryReactor* ModelServiceImpl::GetModel(grpc::CallbackServerContext* call,
                                                     const v1::GetModelRequest* request,
                                                     v1::Model* response) {
  return Answer(context_, call, "/quantd.v1.ModelService/GetModel",
                [&](const Caller& caller, CallScope& /*scope*/) -> absl::Status {
                  ASSIGN_OR_RETURN(std::string id, ParseName("models", request->name()));
                  ASSIGN_OR_RETURN(ModelRecord model, context_.catalogue.GetModel(caller.tenant, id));
                  *response = ToProto(model);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* ModelServiceImpl::ListModels(grpc::CallbackServerContext* call,
                                                       const v1::ListModelsRequest* request,
                                                       v1::ListModelsResponse* response) {
  return Answer(context_, call, "/quantd.v1.ModelService/ListModels",
                [&](const Caller& caller, CallScope& /*scope*/) -> absl::Status {
                  ASSIGN_OR_RETURN(int page_size, PageSize(request->page_size()));
                  ASSIGN_OR_RETURN(
                      Page<ModelRecord> page,
                      context_.catalogue.ListModels(caller.tenant, page_size, request->page_token()));
                  for (const ModelRecord& record : page.records) {
                    v1::Model* model = response->add_models();
                    *model = ToProto(record);
                    model->clear_files();
                    model->mutable_summary()->clear_tensors();
                  }
                  response->set_next_page_token(page.next_token);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* ModelServiceImpl::DeleteModel(grpc::CallbackServerContext* call,
                                                        const v1::DeleteModelRequest* request,
                                                        google::protobuf::Empty* /*response*/) {
  return AnswerOnDisk(context_, call, "/quantd.v1.ModelService/DeleteModel",
                      [this, request](const Caller& caller, CallScope& scope) -> absl::Status {
                        scope.SetResource(request->name());
                        ASSIGN_OR_RETURN(std::string id, ParseName("models", request->name()));
                        ASSIGN_OR_RETURN(Unneeded unneeded,
                                         context_.catalogue.DeleteModel(caller.tenant, id));
                        RemoveUnneeded(context_, unneeded.object_keys);
                        for (const std::string& upload : unneeded.upload_ids) {
                          if (absl::Status status = uploads_.Discard(upload); !status.ok())
                            spdlog::warn("upload {} leaves bytes: {}", upload, std::string(status.message()));
                        }
                        spdlog::info("models/{} deleted, {} objects and {} uploads removed", id,
                                     unneeded.object_keys.size(), unneeded.upload_ids.size());
                        return absl::OkStatus();
                      });
}

grpc::ServerUnaryReactor* CapabilityServiceImpl::GetCapabilities(
    grpc::CallbackServerContext* call, const v1::GetCapabilitiesRequest* /*request*/,
    v1::Capabilities* response) {
  return Answer(context_, call, "/quantd.v1.CapabilityService/GetCapabilities",
                [&](const Caller& /*caller*/, CallScope& /*scope*/) -> absl::Status {
                  const std::optional<v1::Engine> engine = context_.engines.Get();
                  if (!engine.has_value())
                    return RetryAfter(absl::StatusCode::kUnavailable, "no worker has said yet what it can do",
                                      absl::Seconds(1));
                  response->set_server_version(kServerVersion);
                  v1::Limits* limits = response->mutable_limits();
                  limits->set_max_message_bytes(kMaxMessageBytes);
                  limits->set_max_chunk_bytes(kMaxChunkBytes);
                  limits->set_max_files_per_model(kMaxFilesPerModel);
                  limits->set_max_targets_per_job(kMaxTargetsPerJob);
                  limits->set_max_attempts(context_.options.max_attempts);
                  *response->mutable_engine() = *engine;
                  return absl::OkStatus();
                });
}

}  // namespace quantd
