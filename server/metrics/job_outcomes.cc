#include "server/metrics/job_outcomes.h"

#include "quantd/v1/job_service.pb.h"

namespace quantd {
namespace {

const char* OutcomeOf(EventType type) {
  switch (type) {
    case EventType::kSucceeded:
      return "succeeded";
    case EventType::kFailed:
      return "failed";
    case EventType::kCancelled:
      return "cancelled";
    default:
      return nullptr;
  }
}

const char* NameOf(RetryReason reason) {
  switch (reason) {
    case RetryReason::kWorkerLost:
      return "worker_lost";
    case RetryReason::kWorkerStopping:
      return "worker_stopping";
    case RetryReason::kUnavailable:
      return "unavailable";
    case RetryReason::kInternal:
      return "internal";
    case RetryReason::kNone:
    case RetryReason::kOther:
      return "other";
  }
  return "other";
}

}  // namespace

void CountOutcome(ServerContext& context, const JobNews& news) {
  if (news.type == EventType::kRetrying) {
    context.metrics.job_retries.Add({{"reason", NameOf(news.retry_reason)}}).Increment();
    return;
  }
  const char* outcome = OutcomeOf(news.type);
  if (outcome == nullptr) return;
  const absl::StatusOr<JobRecord> job = context.catalogue.GetJob(news.tenant, news.job_id);
  v1::CreateJobRequest spec;
  if (!job.ok() || !spec.ParseFromString(job->targets_blob)) return;
  for (const v1::Target& target : spec.targets()) {
    context.metrics.jobs_finished
        .Add({{"format", target.format()}, {"scheme", target.scheme()}, {"outcome", outcome}})
        .Increment();
  }
}

}  // namespace quantd
