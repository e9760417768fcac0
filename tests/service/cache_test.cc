// The action cache over gRPC.
#include "tests/service/service_test_base.h"

namespace quantd {
namespace {

class CacheServiceTest : public ServiceTest {
 protected:
  // Runs the job as a worker would.
  void Run(const v1::CreateJobRequest& request) {
    v1::CreateJobResponse response;
    ASSERT_TRUE(CreateJob(request, response).ok());
    const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
    v1::CompleteRequest complete;
    complete.set_task_id(assignment.task_id());
    complete.set_fencing_token(assignment.fencing_token());
    v1::TargetResult* result = complete.mutable_job()->add_targets();
    *result->mutable_target() = request.targets(0);
    result->set_directory("toy-s4");
    ASSERT_TRUE(Complete(complete).ok());
  }
};

TEST_F(CacheServiceTest, AnEqualJobHasSucceededAtOnceAfterARestart) {
  v1::CreateJobRequest request = ToyJobRequest(ReadyModel("weights"));
  for (const char* value : {"1", "2"}) {
    v1::TargetOption* option = request.mutable_targets(0)->add_options();
    option->set_name("o");
    option->set_value(value);
  }
  Run(request);
  CrashAndRestart();
  Lease(v1::QUANTIZE, 0);  // so that the server knows an engine
  v1::CreateJobResponse response;
  ASSERT_TRUE(CreateJob(request, response).ok());
  EXPECT_EQ(response.job().state(), v1::Job::SUCCEEDED);
  EXPECT_TRUE(response.job().cached());
  EXPECT_EQ(response.job().results(0).directory(), "toy-s4");
  EXPECT_EQ(Watch(response.job().name(), 0).size(), 2u);
  EXPECT_EQ(Metric("quant_jobs_cached_total"), 1);
  // The order of one option's values may matter.
  std::swap(*request.mutable_targets(0)->mutable_options(0), *request.mutable_targets(0)->mutable_options(1));
  ASSERT_TRUE(CreateJob(request, response).ok());
  EXPECT_FALSE(response.job().cached());
}

TEST_F(CacheServiceTest, NoCacheRunsTheJobAgain) {
  v1::CreateJobRequest request = ToyJobRequest(ReadyModel("weights"));
  Run(request);
  request.set_no_cache(true);
  v1::CreateJobResponse response;
  ASSERT_TRUE(CreateJob(request, response).ok());
  EXPECT_EQ(response.job().state(), v1::Job::QUEUED);
}

}  // namespace
}  // namespace quantd
