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

}  // namespace

void CountOutcome(ServerContext& context, const std::string& job_id) {
  const absl::StatusOr<JobRecord> job = context.catalogue.GetJob(job_id);
  if (!job.ok()) return;
  const absl::StatusOr<std::vector<EventRecord>> last =
      context.catalogue.ListEvents(job_id, job->revision - 1, 1);
  if (!last.ok() || last->empty()) return;
  const EventType type = last->front().type;
  if (type == EventType::kRetrying) context.metrics.job_retries.Add({{"reason", "worker_lost"}}).Increment();
  const char* outcome = OutcomeOf(type);
  v1::CreateJobRequest spec;
  if (outcome == nullptr || !spec.ParseFromString(job->targets_blob)) return;
  for (const v1::Target& target : spec.targets()) {
    context.metrics.jobs_finished
        .Add({{"format", target.format()}, {"scheme", target.scheme()}, {"outcome", outcome}})
        .Increment();
  }
}

}  // namespace quantd
