// Every metric that operations.md lists, after real jobs.
#include <gmock/gmock.h>

#include "tests/service/end_to_end_test_base.h"

namespace quantd {
namespace {

class MetricsTest : public EndToEndTest {};

TEST_F(MetricsTest, AJobMovesEveryMetric) {
  const std::map<std::string, std::string> files = LongCheckpoint();
  const std::string model = ReadyCheckpoint(files);
  SendCheckpoint(files);
  MakeDiskSlow();
  const std::string job = StartJob(model);
  WaitForMiddle(job);
  EXPECT_EQ(Metric("quant_jobs{state=\"running\"}"), 1);
  EXPECT_EQ(Metric("quant_workers{device=\"cpu\",state=\"busy\"}"), 1);
  EXPECT_TRUE(Eventually([&] {
    return Metrics().find("quant_tensor_bytes_processed_total{") != std::string::npos;
  })) << "heartbeats carry it while the job runs";
  KillWorkers();
  WaitForMiddle(job, 2);
  const std::string queued = StartJob(model);
  EXPECT_GT(Metric("quant_queue_oldest_job_timestamp_seconds"), 0);
  EXPECT_EQ(Cancel(queued).state(), v1::Job::CANCELLED);
  MakeDiskFast();
  EXPECT_EQ(WaitForEnd(job).state(), v1::Job::SUCCEEDED);
  // The figures of a worker's last call are counted when what it says has been stored.
  EXPECT_TRUE(
      Eventually([&] { return Metric("quant_job_stage_duration_seconds_count{stage=\"verify\"}") > 0; }));
  const std::string all = Metrics();
  for (const char* expected : {"quant_build_info{version=\"", "quant_grpc_requests_total{",
                               "quant_grpc_request_duration_seconds_count{", "quant_grpc_streams_active{",
                               "quant_jobs_submitted_total{format=\"gguf\",scheme=\"Q4_K_M\"} 2",
                               "quant_job_stage_duration_seconds_count{stage=\"quantize\"}",
                               "quant_job_stage_duration_seconds_count{stage=\"verify\"}",
                               "quant_job_retries_total{reason=\"worker_lost\"} 1",
                               "quant_leases_expired_total 1", "quant_upload_sessions_active 0",
                               "quant_upload_resumes_total 0", "quant_storage_bytes{kind=\"uploads\"}"}) {
    EXPECT_THAT(all, testing::HasSubstr(expected));
  }
  EXPECT_THAT(all,
              testing::ContainsRegex("quant_jobs_finished_total\\{[^}]*outcome=\"succeeded\"[^}]*\\} 1"));
  EXPECT_THAT(all,
              testing::ContainsRegex("quant_tensor_bytes_processed_total\\{[^}]*codec=\"Q4_K\"[^}]*\\} "));
  EXPECT_THAT(all, testing::Not(testing::HasSubstr("\"other\"")));
  int64_t bytes = 0;
  for (const auto& [path, content] : files) bytes += static_cast<int64_t>(content.size());
  EXPECT_EQ(Metric("quant_upload_bytes_total"), bytes);
  EXPECT_EQ(Metric("quant_dedupe_bytes_saved_total"), bytes);
  EXPECT_EQ(Metric("quant_storage_bytes{kind=\"sources\"}"), bytes);
  EXPECT_GT(Metric("quant_storage_bytes{kind=\"artifacts\"}"), 0);
  EXPECT_GT(Metric("quant_storage_limit_bytes"), bytes);
  EXPECT_GT(Metric("quant_queue_wait_seconds_count"), 0);
  EXPECT_GT(Metric("quant_worker_memory_peak_bytes"), 1 << 20);
}

}  // namespace
}  // namespace quantd
