#include "server/metrics/refresh.h"

#include <spdlog/spdlog.h>

namespace quantd {

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
  const std::optional<v1::Engine> engine = context.engines.Get();
  const std::string device = engine && engine->devices_size() > 0 ? engine->devices(0) : "cpu";
  metrics.workers.Add({{"state", "busy"}, {"device", device}})
      .Set(static_cast<double>(figures->busy_workers));
  metrics.workers.Add({{"state", "idle"}, {"device", device}})
      .Set(static_cast<double>(dispatcher.idle_workers()));
}

}  // namespace quantd
