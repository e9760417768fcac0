// Whatever is killed in the middle of a job, the job ends, and nothing half-written is seen or left.
#include "tests/service/end_to_end_test_base.h"

namespace quantd {
namespace {

using std::chrono::steady_clock;

class RecoveryTest : public EndToEndTest {};

TEST_F(RecoveryTest, AKilledWorkersJobIsTriedAgain) {
  const std::string job = StartLongJob();
  WaitForMiddle(job);
  KillWorkers();
  WaitForMiddle(job, 2);
  EXPECT_EQ(GetJob(job).results_size(), 0);
  MakeDiskFast();
  const v1::Job ended = WaitForEnd(job);
  EXPECT_EQ(ended.attempt(), 2);
  ExpectWhole(ended);
  std::vector<std::string> reasons;
  for (const v1::JobEvent& event : Watch(job, 0)) {
    if (event.type() == v1::JobEvent::RETRYING) reasons.push_back(event.message());
  }
  EXPECT_EQ(reasons, (std::vector<std::string>{"its worker was killed by signal 9"}));
  EXPECT_EQ(Metric("quant_job_retries_total{reason=\"worker_lost\"}"), 1);
}

TEST_F(RecoveryTest, AJobEndsAfterTheServerWasKilled) {
  const std::string job = StartLongJob();
  WaitForMiddle(job);
  CrashAndRestart();
  EXPECT_EQ(GetJob(job).results_size(), 0);
  MakeDiskFast();
  const v1::Job ended = WaitForEnd(job);
  EXPECT_EQ(ended.attempt(), 2);
  ExpectWhole(ended);
}

TEST_F(RecoveryTest, CancelActsWithinTwoSeconds) {
  const std::string job = StartLongJob();
  WaitForMiddle(job);
  const auto begin = steady_clock::now();
  EXPECT_TRUE(Cancel(job).cancel_requested());
  ASSERT_TRUE(Eventually([&] { return GetJob(job).state() == v1::Job::CANCELLED; }));
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_TRUE(FilesIn("objects/artifacts").empty());
  EXPECT_TRUE(FilesIn("temporary").empty());
}

TEST_F(RecoveryTest, AJobWhoseWorkersAlwaysCrashFailsWithTheReason) {
  const std::string job = StartLongJob();
  for (int attempt = 1; attempt <= 3; ++attempt) {
    WaitForMiddle(job, attempt);
    KillWorkers();
  }
  const v1::Job ended = WaitForEnd(job);
  EXPECT_EQ(ended.state(), v1::Job::FAILED);
  EXPECT_EQ(ended.attempt(), 3);
  EXPECT_EQ(ended.error(), "its worker was killed by signal 9; tried 3 times");
  EXPECT_TRUE(
      Eventually([&] { return FilesIn("objects/artifacts").empty() && FilesIn("temporary").empty(); }));
}

TEST_F(RecoveryTest, ADrainIsPromptAndTheJobGoesOnAfterARestart) {
  const std::string job = StartLongJob();
  WaitForMiddle(job);
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(job);
  auto stream = jobs_->WatchJob(&context, request);
  v1::JobEvent event;
  ASSERT_TRUE(stream->Read(&event));
  const auto begin = steady_clock::now();
  EXPECT_EQ(server_.Terminate(), 0);
  // An idle connection takes 5 s to close by itself, a worker 5 s to be killed.
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(4));
  while (stream->Read(&event)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(FilesIn("objects/artifacts").empty());
  MakeDiskFast();
  server_.Start();
  Connect();
  const v1::Job ended = WaitForEnd(job);
  EXPECT_EQ(ended.attempt(), 1) << "a job that was given back has not been tried";
  ExpectWhole(ended);
}

}  // namespace
}  // namespace quantd
