// Everything quantd counts, with the prefix quant_. Label values come from closed lists.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace quantd {

// Thread-safe.
class Metrics {
 public:
  explicit Metrics(const std::string& version);

  // The text that Prometheus scrapes.
  std::string Render() const;

  prometheus::Counter& upload_bytes;
  prometheus::Counter& upload_resumes;
  prometheus::Counter& dedupe_bytes_saved;
  prometheus::Gauge& upload_sessions_active;
  prometheus::Counter& cached_jobs;
  prometheus::Counter& leases_expired;
  prometheus::Gauge& worker_memory_peak;
  prometheus::Counter& source_bytes_read;
  prometheus::Family<prometheus::Counter>& grpc_requests;      // method, code
  prometheus::Family<prometheus::Histogram>& grpc_duration;    // method
  prometheus::Family<prometheus::Gauge>& grpc_streams_active;  // method
  prometheus::Family<prometheus::Gauge>& jobs;                 // state
  prometheus::Family<prometheus::Gauge>& storage_bytes;        // kind
  prometheus::Family<prometheus::Gauge>& workers;              // state, device
  prometheus::Gauge& storage_limit;
  prometheus::Gauge& oldest_queued_job;
  prometheus::Histogram& queue_wait;
  prometheus::Family<prometheus::Histogram>& stage_duration;  // stage
  prometheus::Family<prometheus::Counter>& job_retries;       // reason
  prometheus::Family<prometheus::Counter>& quota_rejections;  // tenant, resource
  prometheus::Family<prometheus::Counter>& jobs_submitted;    // format, scheme: those that a worker reported
  prometheus::Family<prometheus::Counter>& jobs_finished;     // format, scheme, outcome
  prometheus::Family<prometheus::Counter>& tensor_bytes_processed;  // device, codec

  // Values of the label "device".
  static constexpr std::array<std::string_view, 2> kDevices = {"cpu", "cuda"};

  // Buckets of calls (1 ms to a minute) and of work (0.1 s to hours).
  static const prometheus::Histogram::BucketBoundaries& CallSeconds();
  static const prometheus::Histogram::BucketBoundaries& WorkSeconds();

 private:
  Metrics(const std::string& version, std::unique_ptr<prometheus::Registry> registry);

  std::unique_ptr<prometheus::Registry> registry_;
};

}  // namespace quantd
