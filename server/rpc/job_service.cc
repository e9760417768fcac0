#include "server/rpc/job_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/sha256.h"
#include "base/status.h"
#include "server/blob_upkeep.h"
#include "server/metrics/quota_rejections.h"
#include "server/rpc/convert.h"
#include "server/rpc/model_service.h"
#include "server/rpc/resource_names.h"
#include "server/rpc/watch_reactor.h"

namespace quantd {
namespace {

constexpr absl::Duration kPlanWait = absl::Seconds(60);
constexpr int kHighestPriority = 10;

template <typename Range>
auto* FindByName(const Range& range, const std::string& name) {
  for (const auto& entry : range) {
    if (entry.name() == name) return &entry;
  }
  return static_cast<decltype(&*range.begin())>(nullptr);
}

// "a, b, c"
template <typename Range>
std::string Names(const Range& range) {
  return absl::StrJoin(range, ", ",
                       [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.name()); });
}

// What the catalogue keeps of a request: the same bytes for the same targets.
std::string SpecOf(const v1::CreateJobRequest& request) {
  v1::CreateJobRequest spec;
  *spec.mutable_targets() = request.targets();
  return spec.SerializeAsString();
}

// The same text for targets that a worker reads alike: options of different names may stand in any order.
std::string RecipeOf(const v1::CreateJobRequest& request) {
  v1::CreateJobRequest recipe;
  *recipe.mutable_targets() = request.targets();
  for (v1::Target& target : *recipe.mutable_targets()) {
    std::stable_sort(target.mutable_options()->begin(), target.mutable_options()->end(),
                     [](const auto& a, const auto& b) { return a.name() < b.name(); });
  }
  return Sha256Hex(recipe.SerializeAsString());
}

absl::Status CheckTarget(const v1::Engine& engine, const v1::Target& target, const std::string& field) {
  const v1::Format* format = FindByName(engine.formats(), target.format());
  if (format == nullptr)
    return InvalidField(field + ".format", absl::StrCat("\"", target.format(), "\" is not known; there are ",
                                                        Names(engine.formats())));
  if (FindByName(format->schemes(), target.scheme()) == nullptr) {
    return InvalidField(field + ".scheme",
                        absl::StrCat("\"", target.scheme(), "\" is no scheme of ", format->name(),
                                     "; there are ", Names(format->schemes())));
  }
  for (const v1::TargetOption& option : target.options()) {
    if (FindByName(format->options(), option.name()) != nullptr) continue;
    return InvalidField(
        absl::StrCat(field, ".options[", option.name(), "]"),
        absl::StrCat(format->name(), " has no such option; there are ", Names(format->options())));
  }
  return absl::OkStatus();
}

std::string Subject(const v1::Target& target) { return target.SerializeAsString(); }

}  // namespace

absl::Status JobServiceImpl::CheckRequest(const v1::CreateJobRequest& request) const {
  if (request.targets_size() == 0) return InvalidField("targets", "is empty");
  if (request.targets_size() > kMaxTargetsPerJob)
    return InvalidField("targets", absl::StrCat("has more than ", kMaxTargetsPerJob));
  if (request.request_id().size() > 128) return InvalidField("request_id", "is longer than 128 bytes");
  if (std::abs(request.priority()) > kHighestPriority)
    return InvalidField("priority",
                        absl::StrCat("is not between -", kHighestPriority, " and ", kHighestPriority));
  if (request.labels_size() > 64) return InvalidField("labels", "has more than 64");
  for (const auto& [key, value] : request.labels()) {
    if (key.empty() || key.size() > 63 || value.size() > 255) {
      return InvalidField("labels", "has a key that is not of 1 to 63 bytes or a value of more than 255");
    }
  }
  const std::optional<v1::Engine> engine = context_.engines.Get();
  if (!engine.has_value())
    return RetryAfter(absl::StatusCode::kUnavailable, "no worker has said yet what it can do",
                      absl::Seconds(1));
  std::set<std::string> seen;
  for (int i = 0; i < request.targets_size(); ++i) {
    const std::string field = absl::StrCat("targets[", i, "]");
    RETURN_IF_ERROR(CheckTarget(*engine, request.targets(i), field));
    if (!seen.insert(Subject(request.targets(i))).second) return InvalidField(field, "is there twice");
  }
  return absl::OkStatus();
}

void JobServiceImpl::PlanOnly(const std::shared_ptr<CallScope>& scope, grpc::ServerUnaryReactor* reactor,
                              const v1::CreateJobRequest& request, v1::CreateJobResponse* response) {
  absl::StatusOr<std::string> model = ParseName("models", request.model());
  absl::StatusOr<std::string> task =
      model.ok() ? context_.catalogue.QueuePlan(scope->caller()->tenant, *model, SpecOf(request)) : model;
  if (!task.ok()) return reactor->Finish(scope->End(task.status()));
  dispatcher_.WaitForPlan(*task, kPlanWait, [scope, reactor, response](absl::StatusOr<std::string> plan) {
    if (plan.ok()) response->mutable_plan()->ParseFromString(*plan);
    reactor->Finish(scope->End(plan.status()));
  });
}

absl::Status JobServiceImpl::Queue(const std::string& tenant, const v1::CreateJobRequest& request,
                                   v1::CreateJobResponse& response) {
  NewJob wanted;
  ASSIGN_OR_RETURN(wanted.model_id, ParseName("models", request.model()));
  wanted.targets_blob = SpecOf(request);
  wanted.labels.insert(request.labels().begin(), request.labels().end());
  wanted.request_id = request.request_id();
  wanted.priority = request.priority();
  wanted.recipe = RecipeOf(request);
  wanted.engine = context_.engines.Get().value_or(v1::Engine()).version();
  wanted.use_cache = !request.no_cache();
  ASSIGN_OR_RETURN(const JobRecord job, context_.catalogue.CreateJob(tenant, wanted));
  *response.mutable_job() = ToProto(job);
  for (const v1::Target& target : request.targets()) {
    context_.metrics.jobs_submitted.Add({{"format", target.format()}, {"scheme", target.scheme()}})
        .Increment();
  }
  if (job.cached) context_.metrics.cached_jobs.Increment();
  spdlog::info("jobs/{} {}: {} targets of models/{}", job.id,
               job.cached ? "answered from the cache" : "queued", request.targets_size(), job.model_id);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* JobServiceImpl::CreateJob(grpc::CallbackServerContext* call,
                                                    const v1::CreateJobRequest* request,
                                                    v1::CreateJobResponse* response) {
  const auto scope = std::make_shared<CallScope>(context_, *call, "/quantd.v1.JobService/CreateJob");
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  scope->SetResource(request->model());
  absl::Status status = scope->caller().status();
  if (status.ok()) status = CheckRequest(*request);
  if (status.ok() && request->validate_only()) {
    PlanOnly(scope, reactor, *request, response);
    return reactor;
  }
  if (status.ok()) status = CountQuota(context_, Queue(scope->caller()->tenant, *request, *response));
  if (status.ok()) scope->SetResource(response->job().name());
  reactor->Finish(scope->End(status));
  return reactor;
}

grpc::ServerUnaryReactor* JobServiceImpl::GetJob(grpc::CallbackServerContext* call,
                                                 const v1::GetJobRequest* request, v1::Job* response) {
  return Answer(context_, call, "/quantd.v1.JobService/GetJob",
                [&](const Caller& caller, CallScope& /*scope*/) -> absl::Status {
                  ASSIGN_OR_RETURN(std::string id, ParseName("jobs", request->name()));
                  ASSIGN_OR_RETURN(JobRecord job, context_.catalogue.GetJob(caller.tenant, id));
                  *response = ToProto(job);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* JobServiceImpl::ListJobs(grpc::CallbackServerContext* call,
                                                   const v1::ListJobsRequest* request,
                                                   v1::ListJobsResponse* response) {
  return Answer(context_, call, "/quantd.v1.JobService/ListJobs",
                [&](const Caller& caller, CallScope& /*scope*/) -> absl::Status {
                  ASSIGN_OR_RETURN(int page_size, PageSize(request->page_size()));
                  JobFilter filter;
                  if (request->state() != v1::Job::STATE_UNSPECIFIED)
                    filter.state = static_cast<JobState>(request->state());
                  if (!request->model().empty()) {
                    ASSIGN_OR_RETURN(filter.model_id, ParseName("models", request->model()));
                  }
                  filter.labels.insert(request->labels().begin(), request->labels().end());
                  ASSIGN_OR_RETURN(
                      Page<JobRecord> page,
                      context_.catalogue.ListJobs(caller.tenant, filter, page_size, request->page_token()));
                  for (const JobRecord& record : page.records) *response->add_jobs() = ToProto(record);
                  response->set_next_page_token(page.next_token);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* JobServiceImpl::CancelJob(grpc::CallbackServerContext* call,
                                                    const v1::CancelJobRequest* request, v1::Job* response) {
  return Answer(context_, call, "/quantd.v1.JobService/CancelJob",
                [&](const Caller& caller, CallScope& scope) -> absl::Status {
                  scope.SetResource(request->name());
                  ASSIGN_OR_RETURN(std::string id, ParseName("jobs", request->name()));
                  ASSIGN_OR_RETURN(JobRecord job, context_.catalogue.CancelJob(caller.tenant, id));
                  spdlog::info("jobs/{} cancel requested", id);
                  *response = ToProto(job);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* JobServiceImpl::DeleteJob(grpc::CallbackServerContext* call,
                                                    const v1::DeleteJobRequest* request,
                                                    google::protobuf::Empty* /*response*/) {
  return AnswerOnDisk(context_, call, "/quantd.v1.JobService/DeleteJob",
                      [this, request](const Caller& caller, CallScope& scope) -> absl::Status {
                        scope.SetResource(request->name());
                        ASSIGN_OR_RETURN(std::string id, ParseName("jobs", request->name()));
                        ASSIGN_OR_RETURN(std::vector<std::string> keys,
                                         context_.catalogue.DeleteJob(caller.tenant, id));
                        RemoveUnneeded(context_, keys);
                        spdlog::info("jobs/{} deleted, {} objects removed", id, keys.size());
                        return absl::OkStatus();
                      });
}

grpc::ServerWriteReactor<v1::JobEvent>* JobServiceImpl::WatchJob(grpc::CallbackServerContext* call,
                                                                 const v1::WatchJobRequest* request) {
  return StartWatch(context_.catalogue, hub_, CallScope(context_, *call, "/quantd.v1.JobService/WatchJob"),
                    *request);
}

}  // namespace quantd
