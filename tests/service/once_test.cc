// quantd-worker --once: a process for one job.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "client/uploader.h"
#include "tests/service/shared_cluster.h"
#include "tests/support/checkpoint_builder.h"

namespace quantd {
namespace {

class OnceTest : public testing::Test {
 protected:
  static WorkerProcess Worker(const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = SharedCluster().WorkerArguments();
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return {arguments, Cluster::Environment(), SharedCluster().folder() + "/once.log"};
  }

  v1::Job GetJob(const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::Job job;
    EXPECT_TRUE(connection_
                    ->Call([&](grpc::ClientContext& context) {
                      return connection_->jobs->GetJob(&context, request, &job);
                    })
                    .ok());
    return job;
  }

  std::string CreateJob(const std::string& model) {
    v1::CreateJobRequest request;
    request.set_model(model);
    request.set_no_cache(true);
    v1::Target* target = request.add_targets();
    target->set_format("gguf");
    target->set_scheme("Q8_0");
    v1::CreateJobResponse response;
    const absl::Status status = connection_->Call([&](grpc::ClientContext& context) {
      return connection_->jobs->CreateJob(&context, request, &response);
    });
    EXPECT_TRUE(status.ok()) << status;
    return response.job().name();
  }

  std::unique_ptr<Connection> connection_ = SharedCluster().ConnectToAny();
};

TEST_F(OnceTest, EndsWithZeroAfterOneJob) {
  const std::string folder = SharedCluster().folder() + "/once";
  WriteFiles(SmallLlama({}), folder);
  // The first worker inspects beside its job, as every worker does.
  WorkerProcess first = Worker({"--once", "--once-wait", "120s"});
  first.Start();
  const absl::StatusOr<v1::Model> model = UploadCheckpoint(*connection_, folder, "once");
  ASSERT_TRUE(model.ok()) << model.status();
  const std::string done = CreateJob(model->name());
  EXPECT_EQ(first.Wait(), 0);
  EXPECT_EQ(GetJob(done).state(), v1::Job::SUCCEEDED);
  const std::string next = CreateJob(model->name());
  EXPECT_EQ(GetJob(next).state(), v1::Job::QUEUED) << "nobody is left";
  WorkerProcess second = Worker({"--once"});
  second.Start();
  EXPECT_EQ(second.Wait(), 0);
  EXPECT_EQ(GetJob(next).state(), v1::Job::SUCCEEDED);
}

TEST_F(OnceTest, EndsWithZeroWhenNoJobComes) {
  WorkerProcess worker = Worker({"--once", "--once-wait", "1s"});
  worker.Start();
  EXPECT_EQ(worker.Wait(), 0);
}

TEST_F(OnceTest, EndsWithOneWhenNoServerAnswers) {
  WorkerProcess worker({"--server", "127.0.0.1:1", "--objects", SharedCluster().objects_url(), "--device",
                        "cpu", "--once", "--once-wait", "1s"},
                       Cluster::Environment(), SharedCluster().folder() + "/once.log");
  worker.Start();
  EXPECT_EQ(worker.Wait(), 1);
}

TEST_F(OnceTest, ATimeThatIsNoneIsRefused) {
  WorkerProcess worker = Worker({"--once", "--once-wait", "soon"});
  worker.Start();
  EXPECT_EQ(worker.Wait(), 1);
}

}  // namespace
}  // namespace quantd
