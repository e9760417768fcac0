#include "server/metrics/metrics.h"

#include <prometheus/text_serializer.h>

namespace quantd {
namespace {

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return Counters(registry, name, help).Add({});
}

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry, const char* name,
                                              const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Histogram>& Histograms(prometheus::Registry& registry, const char* name,
                                                      const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return Gauges(registry, name, help).Add({});
}

}  // namespace

Metrics::Metrics(const std::string& version) : Metrics(version, std::make_unique<prometheus::Registry>()) {}

Metrics::Metrics(const std::string& version, std::unique_ptr<prometheus::Registry> registry)
    : upload_bytes(Counter(*registry, "quant_upload_bytes_total", "Bytes that uploads brought")),
      upload_resumes(
          Counter(*registry, "quant_upload_resumes_total", "Uploads that went on from a durable offset")),
      dedupe_bytes_saved(
          Counter(*registry, "quant_dedupe_bytes_saved_total", "Bytes not sent because the store had them")),
      upload_sessions_active(Gauge(*registry, "quant_upload_sessions_active", "Write streams that are open")),
      cached_jobs(
          Counter(*registry, "quant_jobs_cached_total", "Jobs that ended with an earlier job's artifacts")),
      leases_expired(Counter(*registry, "quant_leases_expired_total", "Leases whose worker was lost")),
      worker_memory_peak(
          Gauge(*registry, "quant_worker_memory_peak_bytes", "Largest resident memory a worker reported")),
      source_bytes_read(
          Counter(*registry, "quant_source_bytes_read_total", "Bytes that workers read from models' files")),
      grpc_requests(Counters(*registry, "quant_grpc_requests_total", "Calls that were answered")),
      grpc_duration(Histograms(*registry, "quant_grpc_request_duration_seconds", "Time to the status")),
      grpc_streams_active(Gauges(*registry, "quant_grpc_streams_active", "Streams that are open")),
      jobs(Gauges(*registry, "quant_jobs", "Jobs in the catalogue")),
      storage_bytes(Gauges(*registry, "quant_storage_bytes", "Bytes in the object store")),
      workers(Gauges(*registry, "quant_workers", "Workers that run or wait for a job")),
      storage_limit(Gauge(*registry, "quant_storage_limit_bytes", "Stored bytes plus free room")),
      oldest_queued_job(Gauge(*registry, "quant_queue_oldest_job_timestamp_seconds",
                              "When the oldest queued job was created; 0 when none waits")),
      queue_wait(Histograms(*registry, "quant_queue_wait_seconds", "Time from creation to the first lease")
                     .Add({}, WorkSeconds())),
      stage_duration(
          Histograms(*registry, "quant_job_stage_duration_seconds", "Time that jobs spent in a stage")),
      job_retries(Counters(*registry, "quant_job_retries_total", "Jobs that were queued again")),
      quota_rejections(
          Counters(*registry, "quant_quota_rejections_total", "Calls and jobs that a quota stopped")),
      jobs_submitted(Counters(*registry, "quant_jobs_submitted_total", "Targets of accepted jobs")),
      jobs_finished(Counters(*registry, "quant_jobs_finished_total", "Targets of ended jobs")),
      tensor_bytes_processed(Counters(*registry, "quant_tensor_bytes_processed_total", "Encoded bytes")),
      registry_(std::move(registry)) {
  prometheus::BuildGauge()
      .Name("quant_build_info")
      .Help("1, with the version")
      .Register(*registry_)
      .Add({{"version", version}})
      .Set(1);
}

const prometheus::Histogram::BucketBoundaries& Metrics::CallSeconds() {
  static const prometheus::Histogram::BucketBoundaries kBounds = {0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60};
  return kBounds;
}

const prometheus::Histogram::BucketBoundaries& Metrics::WorkSeconds() {
  static const prometheus::Histogram::BucketBoundaries kBounds = {0.1, 1, 5, 15, 60, 300, 1800, 7200};
  return kBounds;
}

std::string Metrics::Render() const { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

}  // namespace quantd
