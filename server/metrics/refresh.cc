#include "server/metrics/refresh.h"

#include <spdlog/spdlog.h>

#include <map>
#include <string>
#include <vector>

namespace quantd {
namespace {

// A worker that holds a lease and has been silent for a minute is not counted: it has most likely ended.
void CountWorkers(ServerContext& context, const char* state, const std::vector<std::string>& worker_ids) {
  std::map<std::string, int64_t> counts;
  for (std::string_view device : Metrics::kDevices) counts[std::string(device)] = 0;
  for (const std::string& id : worker_ids) {
    const auto count = counts.find(context.engines.DeviceOf(id));
    if (count != counts.end()) ++count->second;
  }
  for (const auto& [device, count] : counts)
    context.metrics.workers.Add({{"state", state}, {"device", device}}).Set(static_cast<double>(count));
}

}  // namespace

void RefreshMetrics(ServerContext& context, const Dispatcher& dispatcher) {
  absl::StatusOr<CatalogueStatistics> figures = context.catalogue.Statistics();
  if (!figures.ok()) {
    spdlog::warn("statistics could not be read: {}", std::string(figures.status().message()));
    return;
  }
  Metrics& metrics = context.metrics;
  constexpr std::pair<JobState, const char*> kStates[] = {{JobState::kQueued, "queued"},
                                                          {JobState::kRunning, "running"},
                                                          {JobState::kSucceeded, "succeeded"},
                                                          {JobState::kFailed, "failed"},
                                                          {JobState::kCancelled, "cancelled"}};
  for (const auto& [state, name] : kStates)
    metrics.jobs.Add({{"state", name}}).Set(static_cast<double>(figures->jobs[state]));
  metrics.oldest_queued_job.Set(
      figures->oldest_queued_job ? static_cast<double>(absl::ToUnixSeconds(*figures->oldest_queued_job)) : 0);
  metrics.storage_bytes.Add({{"kind", "sources"}}).Set(static_cast<double>(figures->source_bytes));
  metrics.storage_bytes.Add({{"kind", "artifacts"}}).Set(static_cast<double>(figures->artifact_bytes));
  metrics.storage_bytes.Add({{"kind", "uploads"}}).Set(static_cast<double>(figures->upload_bytes));
  const absl::StatusOr<std::optional<uint64_t>> room = context.objects.FreeBytes();
  if (room.ok() && room->has_value()) {
    metrics.storage_limit.Set(static_cast<double>(**room) + static_cast<double>(figures->source_bytes) +
                              static_cast<double>(figures->artifact_bytes));
  }
  CountWorkers(context, "busy", figures->busy_workers);
  CountWorkers(context, "idle", dispatcher.idle_workers());
}

}  // namespace quantd
