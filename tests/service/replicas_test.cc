// Several quantd over one PostgreSQL and one bucket: it does not matter which of them is asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>

#include "base/sha256.h"
#include "client/blob_fetcher.h"
#include "client/fetcher.h"
#include "client/uploader.h"
#include "quantd/v1/worker_service.grpc.pb.h"
#include "tests/service/shared_cluster.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/toy_engine.h"

namespace quantd {
namespace {

class ReplicasTest : public testing::Test {
 protected:
  ReplicasTest() {
    for (int i = 0; i < Cluster::kServers; ++i) {
      servers_.push_back(SharedCluster().Connect(i));
      workers_.push_back(v1::WorkerService::NewStub(SharedCluster().server(i).channel()));
    }
  }

  // --- As a client.
  v1::Job GetJob(int server, const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    grpc::ClientContext context;
    v1::Job job;
    const grpc::Status status = At(server).jobs->GetJob(&context, request, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job;
  }

  v1::Job CreateJob(int server, const v1::CreateJobRequest& request) {
    grpc::ClientContext context;
    v1::CreateJobResponse response;
    const grpc::Status status = At(server).jobs->CreateJob(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.job();
  }

  v1::CreateModelResponse CreateModel(int server, const std::string& content) {
    v1::CreateModelRequest request;
    v1::ModelFile* file = request.add_files();
    file->set_path("model.safetensors");
    file->set_sha256(Sha256Hex(content));
    file->set_size(static_cast<int64_t>(content.size()));
    grpc::ClientContext context;
    v1::CreateModelResponse response;
    const grpc::Status status = At(server).models->CreateModel(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  // Sends content[from, to); the stream breaks off unless `to` is the end.
  grpc::Status Send(int server, const std::string& resource, const std::string& content, size_t from,
                    size_t to) {
    grpc::ClientContext context;
    google::bytestream::WriteResponse response;
    auto stream = At(server).bytes->Write(&context, &response);
    for (size_t at = from; at < to;) {
      google::bytestream::WriteRequest request;
      request.set_resource_name(resource);
      request.set_write_offset(static_cast<int64_t>(at));
      request.set_data(content.substr(at, std::min<size_t>(1 << 20, to - at)));
      at += request.data().size();
      request.set_finish_write(at == content.size());
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    return stream->Finish();
  }

  int64_t DurableSize(int server, const std::string& resource) {
    google::bytestream::QueryWriteStatusRequest request;
    request.set_resource_name(resource);
    grpc::ClientContext context;
    google::bytestream::QueryWriteStatusResponse response;
    const grpc::Status status = At(server).bytes->QueryWriteStatus(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.committed_size();
  }

  // --- As a worker.
  v1::Assignment Lease(int server, v1::TaskKind kind) {
    v1::LeaseRequest request;
    request.set_worker_id("played");
    request.add_kinds(kind);
    request.mutable_wait()->set_seconds(30);
    *request.mutable_engine() = ToyEngine();
    grpc::ClientContext context;
    v1::LeaseResponse response;
    const grpc::Status status = Worker(server).Lease(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(response.has_assignment());
    return response.assignment();
  }
  v1::HeartbeatResponse Heartbeat(int server, const v1::Assignment& assignment, int64_t bytes_done) {
    v1::HeartbeatRequest request;
    request.set_task_id(assignment.task_id());
    request.set_fencing_token(assignment.fencing_token());
    request.mutable_progress()->set_stage("quantize");
    request.mutable_progress()->set_bytes_done(bytes_done);
    grpc::ClientContext context;
    v1::HeartbeatResponse response;
    const grpc::Status status = Worker(server).Heartbeat(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  void Complete(int server, const v1::Assignment& assignment, v1::CompleteRequest request) {
    request.set_task_id(assignment.task_id());
    request.set_fencing_token(assignment.fencing_token());
    grpc::ClientContext context;
    google::protobuf::Empty response;
    const grpc::Status status = Worker(server).Complete(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  // A model whose upload, inspection and result each went through another server.
  std::string ReadyModel(const std::string& content) {
    const v1::CreateModelResponse created = CreateModel(0, content);
    if (created.missing_size() > 0) {
      EXPECT_TRUE(Send(1, created.missing(0).resource_name(), content, 0, content.size()).ok());
    }
    v1::CompleteRequest complete;
    complete.mutable_summary()->set_architecture("Toy");
    // Other tests may have left models that nobody has inspected.
    for (bool inspected = false; !inspected;) {
      const v1::Assignment inspection = Lease(2, v1::INSPECT);
      Complete(0, inspection, complete);
      inspected = inspection.model() == created.model().name();
    }
    ExpectAllKnowTheEngine([](const v1::Engine& engine) { return engine.version() == "toy"; });
    return created.model().name();
  }
  void ExpectAllKnowTheEngine(const std::function<bool(const v1::Engine&)>& is_expected) {
    for (int i = 0; i < Cluster::kServers; ++i) {
      EXPECT_TRUE(Eventually([&] {
        grpc::ClientContext context;
        v1::Capabilities capabilities;
        return At(i).capabilities->GetCapabilities(&context, {}, &capabilities).ok() &&
               is_expected(capabilities.engine());
      })) << i;
    }
  }

  Connection& At(int server) { return *servers_[static_cast<size_t>(server)]; }
  v1::WorkerService::Stub& Worker(int server) { return *workers_[static_cast<size_t>(server)]; }

  std::vector<std::unique_ptr<Connection>> servers_;
  std::vector<std::unique_ptr<v1::WorkerService::Stub>> workers_;
};

std::string Content(size_t size, char first) {
  std::string content(size, '\0');
  uint32_t state = 1;
  for (char& c : content) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  content[0] = first;
  return content;
}

TEST_F(ReplicasTest, AJobIsWatchedAtOneServerWhileItGoesThroughTheOthers) {
  const v1::Job job = CreateJob(1, ToyJobRequest(ReadyModel("watched")));
  v1::WatchJobRequest request;
  request.set_name(job.name());
  grpc::ClientContext context;
  auto stream = At(2).jobs->WatchJob(&context, request);
  const auto next = [&] {
    v1::JobEvent event;
    EXPECT_TRUE(stream->Read(&event));
    return event;
  };
  EXPECT_EQ(next().type(), v1::JobEvent::CREATED);
  const v1::Assignment assignment = Lease(0, v1::QUANTIZE);
  EXPECT_EQ(assignment.job(), job.name());
  EXPECT_EQ(next().type(), v1::JobEvent::STARTED);
  Heartbeat(1, assignment, 7);
  const v1::JobEvent progress = next();
  EXPECT_EQ(progress.type(), v1::JobEvent::PROGRESS);
  EXPECT_EQ(progress.progress().bytes_done(), 7);
  v1::CompleteRequest complete;
  complete.mutable_job();
  Complete(1, assignment, complete);
  EXPECT_EQ(next().type(), v1::JobEvent::SUCCEEDED);
  v1::JobEvent none;
  EXPECT_FALSE(stream->Read(&none));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(GetJob(0, job.name()).state(), v1::Job::SUCCEEDED);
}

TEST_F(ReplicasTest, AServerKnowsTheEngineOfWorkersThatReportToAnother) {
  ReadyModel("engine");
  for (int i = 0; i < Cluster::kServers; ++i) {
    EXPECT_THAT(HttpGet(SharedCluster().server(i).metrics_address(), "/readyz"),
                testing::HasSubstr("200 OK"));
  }
}

TEST_F(ReplicasTest, AWaitingWorkerGetsTheJobThatIsMadeAtAnotherServer) {
  const std::string model = ReadyModel("waits");
  auto lease = std::async(std::launch::async, [&] { return Lease(0, v1::QUANTIZE); });
  ASSERT_TRUE(Eventually([&] {
    return HttpGet(SharedCluster().server(0).metrics_address(), "/metrics")
               .find("quant_workers{device=\"cpu\",state=\"idle\"} 1") != std::string::npos;
  }));
  const v1::Job job = CreateJob(2, ToyJobRequest(model));
  const v1::Assignment assignment = lease.get();
  EXPECT_EQ(assignment.job(), job.name());
  v1::CompleteRequest complete;
  complete.mutable_job();
  Complete(1, assignment, complete);
}

TEST_F(ReplicasTest, APlanIsMadeThroughAnotherServer) {
  v1::CreateJobRequest request = ToyJobRequest(ReadyModel("plan"));
  request.set_validate_only(true);
  auto worker = std::async(std::launch::async, [&] {
    v1::CompleteRequest complete;
    complete.mutable_plan()->set_disk_bytes(42);
    Complete(1, Lease(2, v1::PLAN), complete);
  });
  grpc::ClientContext context;
  v1::CreateJobResponse response;
  const grpc::Status status = At(0).jobs->CreateJob(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.plan().disk_bytes(), 42);
}

TEST_F(ReplicasTest, CancelWorksAnywhere) {
  const v1::Job job = CreateJob(0, ToyJobRequest(ReadyModel("cancelled")));
  const v1::Assignment assignment = Lease(1, v1::QUANTIZE);
  v1::CancelJobRequest request;
  request.set_name(job.name());
  grpc::ClientContext context;
  v1::Job cancelled;
  ASSERT_TRUE(At(2).jobs->CancelJob(&context, request, &cancelled).ok());
  EXPECT_TRUE(Heartbeat(0, assignment, 1).cancel());
  v1::FailRequest fail;
  fail.set_task_id(assignment.task_id());
  fail.set_fencing_token(assignment.fencing_token());
  fail.set_code(grpc::StatusCode::CANCELLED);
  fail.set_message("cancelled");
  grpc::ClientContext fail_context;
  google::protobuf::Empty empty;
  ASSERT_TRUE(Worker(1).Fail(&fail_context, fail, &empty).ok());
  EXPECT_EQ(GetJob(2, job.name()).state(), v1::Job::CANCELLED);
}

// One server has kept the upload open, while others went on with it.
TEST_F(ReplicasTest, AnUploadGoesFromServerToServer) {
  const std::string content = Content(24 << 20, 'a');
  const v1::CreateModelResponse created = CreateModel(0, content);
  const std::string resource = created.missing(0).resource_name();
  Send(0, resource, content, 0, 8 << 20);
  EXPECT_EQ(DurableSize(0, resource), 8 << 20);
  EXPECT_EQ(DurableSize(1, resource), 8 << 20);
  Send(1, resource, content, 8 << 20, 14 << 20);
  EXPECT_EQ(DurableSize(2, resource), 14 << 20);
  EXPECT_EQ(DurableSize(0, resource), 14 << 20) << "not what it had kept";
  const grpc::Status sent = Send(0, resource, content, 14 << 20, content.size());
  EXPECT_TRUE(sent.ok()) << sent.error_message();
  EXPECT_EQ(DurableSize(2, resource), static_cast<int64_t>(content.size()));
  // Another client that had not heard of it.
  EXPECT_TRUE(Send(1, resource, content, 14 << 20, content.size()).ok());
}

// Two servers write one upload at a time: one of them is told to ask again, and nothing durable is lost.
TEST_F(ReplicasTest, TwoStreamsOfOneUploadAtTwoServers) {
  const std::string content = Content(12 << 20, 'b');
  const std::string resource = CreateModel(0, content).missing(0).resource_name();
  Send(0, resource, content, 0, 2 << 20);
  grpc::ClientContext context;
  google::bytestream::WriteResponse response;
  auto slow = At(0).bytes->Write(&context, &response);
  google::bytestream::WriteRequest request;
  request.set_resource_name(resource);
  request.set_write_offset(2 << 20);
  request.set_data(content.substr(2 << 20, 1 << 20));
  ASSERT_TRUE(slow->Write(request));
  ASSERT_TRUE(Eventually([&] {
    return HttpGet(SharedCluster().server(0).metrics_address(), "/metrics")
               .find("quant_upload_sessions_active 1") != std::string::npos;
  }));
  EXPECT_EQ(DurableSize(1, resource), 2 << 20);
  Send(1, resource, content, 2 << 20, 6 << 20);
  request.set_write_offset(3 << 20);
  request.set_data(content.substr(3 << 20, 1 << 20));
  slow->Write(request);
  slow->WritesDone();
  EXPECT_NE(slow->Finish().error_code(), grpc::StatusCode::OK);
  EXPECT_EQ(DurableSize(0, resource), 6 << 20);
  const grpc::Status sent = Send(0, resource, content, 6 << 20, content.size());
  EXPECT_TRUE(sent.ok()) << sent.error_message();
}

TEST_F(ReplicasTest, WhileTheDatabaseIsAwayCallsAreUnavailableAndThenGoOn) {
  const v1::Job job = CreateJob(0, ToyJobRequest(ReadyModel("database")));
  SharedCluster().postgres().Kill();
  v1::GetJobRequest request;
  request.set_name(job.name());
  for (int i = 0; i < Cluster::kServers; ++i) {
    grpc::ClientContext context;
    v1::Job response;
    EXPECT_EQ(At(i).jobs->GetJob(&context, request, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  SharedCluster().postgres().Start();
  for (int i = 0; i < Cluster::kServers; ++i) EXPECT_EQ(GetJob(i, job.name()).state(), v1::Job::QUEUED);
  const v1::Assignment assignment = Lease(1, v1::QUANTIZE);
  EXPECT_EQ(assignment.job(), job.name());
  v1::CompleteRequest complete;
  complete.mutable_job();
  Complete(2, assignment, complete);
}

// The real worker: everything that a user does, each step at another server.
TEST_F(ReplicasTest, UploadJobWatchFetchAndDelete) {
  SharedCluster().StartWorkers();
  const std::string folder = SharedCluster().folder() + "/checkpoint";
  WriteFiles(SmallLlama({}), folder);
  const absl::StatusOr<v1::Model> model = UploadCheckpoint(At(0), folder, "small");
  ASSERT_TRUE(model.ok()) << model.status();
  ExpectAllKnowTheEngine([](const v1::Engine& engine) { return engine.version() != "toy"; });
  v1::CreateJobRequest request;
  request.set_model(model->name());
  v1::Target* target = request.add_targets();
  target->set_format("gguf");
  target->set_scheme("Q8_0");
  const v1::Job job = CreateJob(1, request);
  v1::WatchJobRequest watch;
  watch.set_name(job.name());
  grpc::ClientContext context;
  auto stream = At(2).jobs->WatchJob(&context, watch);
  v1::JobEvent event;
  while (stream->Read(&event)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(event.type(), v1::JobEvent::SUCCEEDED);
  const v1::Job ended = GetJob(0, job.name());
  const absl::Status fetched = FetchResults(At(2), {ended.results().begin(), ended.results().end()},
                                            SharedCluster().folder() + "/out");
  ASSERT_TRUE(fetched.ok()) << fetched;
  for (const v1::ArtifactFile& file : ended.results(0).files()) {
    EXPECT_EQ(std::filesystem::file_size(SharedCluster().folder() + "/out/" + ended.results(0).directory() +
                                         "/" + file.path()),
              static_cast<uint64_t>(file.size()));
  }
  v1::DeleteJobRequest remove_job;
  remove_job.set_name(job.name());
  v1::DeleteModelRequest remove_model;
  remove_model.set_name(model->name());
  grpc::ClientContext job_context, model_context;
  google::protobuf::Empty empty;
  EXPECT_TRUE(At(1).jobs->DeleteJob(&job_context, remove_job, &empty).ok());
  EXPECT_TRUE(At(0).models->DeleteModel(&model_context, remove_model, &empty).ok());
  // Those who have begun to read may go on: objects leave the bucket after a grace.
  const std::vector<ObjectInfo> left = *SharedCluster().OpenObjects()->List(
      absl::StrCat("artifacts/", job.name().substr(job.name().find('/') + 1)));
  std::vector<std::string> keys;
  for (const ObjectInfo& object : left) keys.push_back(object.key);
  EXPECT_EQ(keys.size(), 2u);
  EXPECT_THAT(SharedCluster().Sql("SELECT object_key FROM garbage"), testing::IsSupersetOf(keys));
  SharedCluster().StopWorkers();
}

}  // namespace
}  // namespace quantd
