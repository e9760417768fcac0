// What the service tests share: stubs, an uploader and a worker that the test plays itself.
#pragma once

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/sha256.h"
#include "google/bytestream/bytestream.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "quantd/v1/admin_service.grpc.pb.h"
#include "quantd/v1/capability_service.grpc.pb.h"
#include "quantd/v1/job_service.grpc.pb.h"
#include "quantd/v1/model_service.grpc.pb.h"
#include "quantd/v1/worker_service.grpc.pb.h"
#include "tests/support/server_process.h"
#include "tests/support/toy_engine.h"

namespace quantd {

class ServiceTest : public testing::Test {
 protected:
  explicit ServiceTest(ServerOptions options = {}) : server_(std::move(options)) {}

  void SetUp() override {
    server_.Start();
    Connect();
  }

  // To the server as it runs now.
  void Connect() {
    models_ = v1::ModelService::NewStub(server_.channel());
    jobs_ = v1::JobService::NewStub(server_.channel());
    workers_ = v1::WorkerService::NewStub(server_.channel());
    bytes_ = google::bytestream::ByteStream::NewStub(server_.channel());
    capabilities_ = v1::CapabilityService::NewStub(server_.channel());
    admin_ = v1::AdminService::NewStub(server_.channel());
  }
  void CrashAndRestart() {
    server_.Kill();
    server_.Start();
    Connect();
  }

  v1::CreateModelResponse CreateModel(const std::string& content, const std::string& request_id = "") {
    v1::CreateModelRequest request;
    v1::ModelFile* file = request.add_files();
    file->set_path("model.safetensors");
    file->set_sha256(Sha256Hex(content));
    file->set_size(static_cast<int64_t>(content.size()));
    request.set_display_name("test");
    request.set_request_id(request_id);
    grpc::ClientContext context;
    v1::CreateModelResponse response;
    const grpc::Status status = models_->CreateModel(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  // Sends content[from, to) in chunks, with finish_write when `to` is the end.
  grpc::Status Send(const std::string& resource, const std::string& content, size_t from, size_t to) {
    grpc::ClientContext context;
    google::bytestream::WriteResponse response;
    auto stream = bytes_->Write(&context, &response);
    constexpr size_t kChunk = 1 << 20;
    for (size_t at = from;;) {
      google::bytestream::WriteRequest request;
      request.set_resource_name(resource);
      request.set_write_offset(static_cast<int64_t>(at));
      request.set_data(content.substr(at, std::min(kChunk, to - at)));
      at += request.data().size();
      request.set_finish_write(at == content.size());
      if (!stream->Write(request) || at >= to) break;
    }
    stream->WritesDone();
    return stream->Finish();
  }

  // A model of these files by path, all sent.
  v1::Model SendCheckpoint(const std::map<std::string, std::string>& files) {
    v1::CreateModelRequest request;
    for (const auto& [path, content] : files) {
      v1::ModelFile* file = request.add_files();
      file->set_path(path);
      file->set_sha256(Sha256Hex(content));
      file->set_size(static_cast<int64_t>(content.size()));
    }
    grpc::ClientContext context;
    v1::CreateModelResponse response;
    const grpc::Status status = models_->CreateModel(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    for (const v1::MissingBlob& blob : response.missing()) {
      const std::string& content = files.at(blob.path());
      const grpc::Status sent = Send(blob.resource_name(), content, 0, content.size());
      EXPECT_TRUE(sent.ok()) << sent.error_message();
    }
    return response.model();
  }

  int64_t DurableSize(const std::string& resource) {
    grpc::ClientContext context;
    google::bytestream::QueryWriteStatusRequest request;
    request.set_resource_name(resource);
    google::bytestream::QueryWriteStatusResponse response;
    const grpc::Status status = bytes_->QueryWriteStatus(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.committed_size();
  }

  v1::Model GetModel(const std::string& name) {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_name(name);
    v1::Model model;
    EXPECT_TRUE(models_->GetModel(&context, request, &model).ok());
    return model;
  }

  v1::Job GetJob(const std::string& name) {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_name(name);
    v1::Job job;
    EXPECT_TRUE(jobs_->GetJob(&context, request, &job).ok());
    return job;
  }

  static v1::LeaseRequest LeaseRequest(v1::TaskKind kind, int wait_seconds) {
    v1::LeaseRequest request;
    request.set_worker_id("test-worker");
    request.add_kinds(kind);
    request.mutable_wait()->set_seconds(wait_seconds);
    *request.mutable_engine() = ToyEngine();
    return request;
  }
  v1::LeaseResponse Lease(v1::TaskKind kind, int wait_seconds = 10) {
    return Lease(LeaseRequest(kind, wait_seconds));
  }
  v1::LeaseResponse Lease(const v1::LeaseRequest& request) {
    grpc::ClientContext context;
    v1::LeaseResponse response;
    const grpc::Status status = workers_->Lease(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  // A model that is READY, by a worker that found nothing wrong.
  std::string ReadyModel(const std::string& content) {
    const v1::CreateModelResponse created = CreateModel(content);
    if (created.missing_size() > 0) {
      const grpc::Status sent = Send(created.missing(0).resource_name(), content, 0, content.size());
      EXPECT_TRUE(sent.ok()) << sent.error_message();
    }
    const v1::LeaseResponse lease = Lease(v1::INSPECT);
    EXPECT_EQ(lease.assignment().model(), created.model().name());
    v1::CompleteRequest complete;
    complete.set_task_id(lease.assignment().task_id());
    complete.set_fencing_token(lease.assignment().fencing_token());
    complete.mutable_summary()->set_architecture("Toy");
    EXPECT_TRUE(Complete(complete).ok());
    return created.model().name();
  }

  grpc::Status Complete(const v1::CompleteRequest& request) {
    grpc::ClientContext context;
    google::protobuf::Empty response;
    return workers_->Complete(&context, request, &response);
  }

  grpc::Status CreateJob(const v1::CreateJobRequest& request, v1::CreateJobResponse& response) {
    grpc::ClientContext context;
    return jobs_->CreateJob(&context, request, &response);
  }
  v1::Job QueueJob(const std::string& model) {
    v1::CreateJobResponse response;
    const grpc::Status status = CreateJob(ToyJobRequest(model), response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.job();
  }

  v1::Job Cancel(const std::string& name) {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::Job job;
    EXPECT_TRUE(jobs_->CancelJob(&context, request, &job).ok());
    return job;
  }

  // Every event after `revision`, to the end of the stream.
  std::vector<v1::JobEvent> Watch(const std::string& job, int64_t revision) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_name(job);
    request.set_after_revision(revision);
    auto stream = jobs_->WatchJob(&context, request);
    std::vector<v1::JobEvent> events;
    for (v1::JobEvent event; stream->Read(&event);) events.push_back(event);
    EXPECT_TRUE(stream->Finish().ok());
    return events;
  }

  // The detail of that type; fails the test when there is none.
  template <typename Detail>
  static Detail DetailOf(const grpc::Status& status) {
    google::rpc::Status rich;
    EXPECT_TRUE(rich.ParseFromString(status.error_details()));
    for (const auto& any : rich.details()) {
      if (Detail detail; any.UnpackTo(&detail)) return detail;
    }
    ADD_FAILURE() << "no " << Detail::descriptor()->name() << " in: " << status.error_message();
    return Detail();
  }

  std::string Metrics() { return HttpGet(server_.metrics_address(), "/metrics"); }
  // The value of that series; 0 when it is not there.
  double Metric(const std::string& series) {
    const std::string text = "\n" + Metrics();
    const size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? 0.0 : std::stod(text.substr(at + series.size() + 2));
  }

  ServerProcess server_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
  std::unique_ptr<google::bytestream::ByteStream::Stub> bytes_;
  std::unique_ptr<v1::CapabilityService::Stub> capabilities_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

}  // namespace quantd
