#include "server/rpc/worker_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/blob_upkeep.h"
#include "server/metrics/quota_rejections.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/convert.h"

namespace quantd {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(30);

// A label's value from a closed list: what is not in it counts as "other".
template <typename List>
std::string Listed(const List& list, const std::string& value) {
  return std::find(std::begin(list), std::end(list), value) == std::end(list) ? "other" : value;
}

void SetDuration(absl::Duration duration, google::protobuf::Duration* out) {
  out->set_seconds(absl::ToInt64Seconds(duration));
}

}  // namespace

grpc::ServerUnaryReactor* WorkerServiceImpl::Lease(grpc::CallbackServerContext* call,
                                                   const v1::LeaseRequest* request,
                                                   v1::LeaseResponse* response) {
  const auto scope = std::make_shared<CallScope>(context_, *call, "/quantd.v1.WorkerService/Lease");
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  if (!scope->caller().ok()) {
    reactor->Finish(scope->End(scope->caller().status()));
    return reactor;
  }
  context_.engines.Set(request->worker_id(), request->engine());
  std::vector<TaskKind> kinds;
  for (int kind : request->kinds()) {
    if (kind >= v1::INSPECT && kind <= v1::QUANTIZE) kinds.push_back(static_cast<TaskKind>(kind));
  }
  if (kinds.empty()) {
    reactor->Finish(scope->End(InvalidField("kinds", "is empty")));
    return reactor;
  }
  const absl::Duration wait = std::min(absl::Seconds(request->wait().seconds()), kLongestWait);
  dispatcher_.WaitForLease(
      std::move(kinds), request->worker_id(), wait, [call] { return call->IsCancelled(); },
      [this, scope, reactor, response](absl::StatusOr<std::optional<LeaseRecord>> lease) {
        if (!lease.ok() || !lease->has_value()) return reactor->Finish(scope->End(lease.status()));
        absl::StatusOr<v1::Assignment> assignment = MakeAssignment(**lease);
        const absl::Status status = assignment.status();
        if (status.ok()) *response->mutable_assignment() = *std::move(assignment);
        reactor->Finish(scope->End(status));
      });
  return reactor;
}

absl::StatusOr<v1::Assignment> WorkerServiceImpl::MakeAssignment(const LeaseRecord& lease) {
  v1::Assignment out;
  out.set_task_id(lease.task.id);
  out.set_fencing_token(lease.token);
  out.set_kind(static_cast<v1::TaskKind>(lease.task.kind));
  SetDuration(context_.options.lease, out.mutable_lease());
  out.set_attempt(lease.attempt);
  ASSIGN_OR_RETURN(ModelRecord model, context_.catalogue.GetModel(lease.task.tenant, lease.task.model_id));
  out.set_tenant(lease.task.tenant);
  out.set_model(absl::StrCat("models/", model.id));
  out.set_model_display_name(model.display_name);
  const v1::Model message = ToProto(model);
  for (int i = 0; i < message.files_size(); ++i) {
    v1::SourceFile* file = out.add_files();
    *file->mutable_file() = message.files(i);
    ASSIGN_OR_RETURN(
        *file->mutable_object_key(),
        context_.catalogue.FindBlob(lease.task.tenant, model.files[static_cast<size_t>(i)].blob));
  }
  std::string targets = lease.task.targets_blob;
  if (lease.task.kind == TaskKind::kQuantize) {
    ASSIGN_OR_RETURN(JobRecord job, context_.catalogue.GetJob(lease.task.tenant, lease.task.job_id));
    targets = job.targets_blob;
    out.set_job(absl::StrCat("jobs/", job.id));
    out.set_artifact_prefix(absl::StrCat("artifacts/", job.id, "/", lease.token));
    spdlog::info("jobs/{} leased, attempt {}", job.id, lease.attempt);
    // The first lease is the event after the job's creation.
    if (job.revision == 2) {
      context_.metrics.queue_wait.Observe(absl::ToDoubleSeconds(absl::Now() - job.create_time));
    }
  }
  v1::CreateJobRequest spec;
  if (!spec.ParseFromString(targets)) return absl::DataLossError("a stored job can't be read");
  *out.mutable_targets() = spec.targets();
  return out;
}

grpc::ServerUnaryReactor* WorkerServiceImpl::Heartbeat(grpc::CallbackServerContext* call,
                                                       const v1::HeartbeatRequest* request,
                                                       v1::HeartbeatResponse* response) {
  return Answer(context_, call, "/quantd.v1.WorkerService/Heartbeat",
                [&](const Caller& /*caller*/, CallScope& /*scope*/) -> absl::Status {
                  std::optional<JobProgressRecord> progress;
                  if (request->has_progress()) progress = FromProto(request->progress());
                  ASSIGN_OR_RETURN(bool cancel, context_.catalogue.Heartbeat(
                                                    request->task_id(), request->fencing_token(), progress));
                  Record(request->figures());
                  response->set_cancel(cancel);
                  SetDuration(context_.options.lease, response->mutable_lease());
                  return absl::OkStatus();
                });
}

absl::Status WorkerServiceImpl::CompleteJob(const v1::CompleteRequest& request) {
  std::vector<ArtifactRecord> artifacts;
  for (const v1::PublishedObject& object : request.job().objects()) {
    artifacts.push_back({{object.sha256(), object.size()}, object.object_key()});
  }
  ASSIGN_OR_RETURN(const JobCompletion completion,
                   context_.catalogue.CompleteJob(request.task_id(), request.fencing_token(),
                                                  request.job().SerializeAsString(), artifacts));
  RemoveObjects(context_, completion.superfluous);
  CountQuota(context_, completion.outcome).IgnoreError();  // it is the job's, not the worker's
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* WorkerServiceImpl::Complete(grpc::CallbackServerContext* call,
                                                      const v1::CompleteRequest* request,
                                                      google::protobuf::Empty* /*response*/) {
  return Answer(context_, call, "/quantd.v1.WorkerService/Complete",
                [&](const Caller& /*caller*/, CallScope& /*scope*/) -> absl::Status {
                  RETURN_IF_ERROR(CompleteTask(*request));
                  // What a repeated call brings has been counted.
                  Record(request->figures());
                  return absl::OkStatus();
                });
}

absl::Status WorkerServiceImpl::CompleteTask(const v1::CompleteRequest& request) {
  const std::string& task = request.task_id();
  const int64_t token = request.fencing_token();
  switch (request.result_case()) {
    case v1::CompleteRequest::kSummary:
      return context_.catalogue.CompleteInspect(task, token, request.summary().SerializeAsString());
    case v1::CompleteRequest::kPlan:
      return context_.catalogue.CompletePlan(task, token, request.plan().SerializeAsString());
    case v1::CompleteRequest::kJob:
      return CompleteJob(request);
    case v1::CompleteRequest::RESULT_NOT_SET:
      break;
  }
  return InvalidField("result", "is missing");
}

grpc::ServerUnaryReactor* WorkerServiceImpl::Fail(grpc::CallbackServerContext* call,
                                                  const v1::FailRequest* request,
                                                  google::protobuf::Empty* /*response*/) {
  return Answer(
      context_, call, "/quantd.v1.WorkerService/Fail",
      [&](const Caller& /*caller*/, CallScope& /*scope*/) -> absl::Status {
        const absl::Status error =
            WithField(absl::Status(static_cast<absl::StatusCode>(request->code()), request->message()),
                      request->field());
        if (error.ok()) return InvalidField("code", "is OK");
        spdlog::warn("task {} failed: {}", request->task_id(), request->message());
        RETURN_IF_ERROR(context_.catalogue.FailTask(request->task_id(), request->fencing_token(), error));
        Record(request->figures());
        return absl::OkStatus();
      });
}

void WorkerServiceImpl::Record(const v1::WorkerFigures& figures) {
  prometheus::Gauge& peak = context_.metrics.worker_memory_peak;
  if (static_cast<double>(figures.memory_peak_bytes()) > peak.Value())
    peak.Set(static_cast<double>(figures.memory_peak_bytes()));
  context_.metrics.source_bytes_read.Increment(static_cast<double>(figures.source_bytes_read()));
  const v1::Engine engine = context_.engines.Get().value_or(v1::Engine());
  constexpr std::string_view kStages[] = {"plan", "quantize", "verify", "publish"};
  for (const auto& [stage, seconds] : figures.stage_seconds()) {
    context_.metrics.stage_duration.Add({{"stage", Listed(kStages, stage)}}, Metrics::WorkSeconds())
        .Observe(seconds);
  }
  for (const v1::EncodedBytes& encoded : figures.encoded()) {
    context_.metrics.tensor_bytes_processed
        .Add({{"device", Listed(Metrics::kDevices, encoded.device())},
              {"codec", Listed(engine.codecs(), encoded.codec())}})
        .Increment(static_cast<double>(encoded.bytes()));
  }
}

}  // namespace quantd
