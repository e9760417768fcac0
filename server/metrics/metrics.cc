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

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
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
      leases_expired(Counter(*registry, "quant_leases_expired_total", "Leases whose worker was lost")),
      worker_memory_peak(
          Gauge(*registry, "quant_worker_memory_peak_bytes", "Largest resident memory a worker reported")),
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

std::string Metrics::Render() const { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

}  // namespace quantd
