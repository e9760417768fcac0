// Jobs on a real server, with a worker that the test plays: queue, leases, events, cancel, drain.
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/service/service_test_base.h"

namespace quantd {
namespace {

std::vector<v1::JobEvent::Type> Types(const std::vector<v1::JobEvent>& events) {
  std::vector<v1::JobEvent::Type> types;
  for (const v1::JobEvent& event : events) types.push_back(event.type());
  return types;
}

v1::FailRequest Failure(const v1::Assignment& assignment, grpc::StatusCode code, const std::string& message) {
  v1::FailRequest request;
  request.set_task_id(assignment.task_id());
  request.set_fencing_token(assignment.fencing_token());
  request.set_code(code);
  request.set_message(message);
  return request;
}

v1::CompleteRequest Success(const v1::Assignment& assignment) {
  v1::CompleteRequest request;
  request.set_task_id(assignment.task_id());
  request.set_fencing_token(assignment.fencing_token());
  request.mutable_job()->add_targets()->set_directory("toy-s4");
  return request;
}

TEST_F(ServiceTest, AJobRunsAndItsEventsAreReplayedFromAnyRevision) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
  EXPECT_EQ(assignment.job(), job.name());
  EXPECT_EQ(assignment.files(0).file().path(), "model.safetensors");
  v1::HeartbeatRequest beat;
  beat.set_task_id(assignment.task_id());
  beat.set_fencing_token(assignment.fencing_token());
  beat.mutable_progress()->set_stage("quantize");
  grpc::ClientContext context;
  v1::HeartbeatResponse answer;
  EXPECT_TRUE(workers_->Heartbeat(&context, beat, &answer).ok());
  EXPECT_FALSE(answer.cancel());
  EXPECT_TRUE(Complete(Success(assignment)).ok());
  const std::vector<v1::JobEvent> all = Watch(job.name(), 0);
  EXPECT_EQ(Types(all), (std::vector<v1::JobEvent::Type>{v1::JobEvent::CREATED, v1::JobEvent::STARTED,
                                                         v1::JobEvent::PROGRESS, v1::JobEvent::SUCCEEDED}));
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].revision(), static_cast<int64_t>(i) + 1);
  CrashAndRestart();
  EXPECT_EQ(Types(Watch(job.name(), 2)),
            (std::vector<v1::JobEvent::Type>{v1::JobEvent::PROGRESS, v1::JobEvent::SUCCEEDED}));
  EXPECT_EQ(GetJob(job.name()).state(), v1::Job::SUCCEEDED);
}

TEST_F(ServiceTest, AWatcherSeesEventsAsTheyHappen) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(job.name());
  auto stream = jobs_->WatchJob(&context, request);
  v1::JobEvent event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.type(), v1::JobEvent::CREATED);
  const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.type(), v1::JobEvent::STARTED);
  EXPECT_TRUE(Complete(Success(assignment)).ok());
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.type(), v1::JobEvent::SUCCEEDED);
  EXPECT_FALSE(stream->Read(&event));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServiceTest, AQueuedJobIsCancelledAtOnce) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  EXPECT_EQ(Cancel(job.name()).state(), v1::Job::CANCELLED);
  EXPECT_FALSE(Lease(v1::QUANTIZE, 0).has_assignment());
}

TEST_F(ServiceTest, ARunningJobIsCancelledThroughTheHeartbeat) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
  EXPECT_TRUE(Cancel(job.name()).cancel_requested());
  v1::HeartbeatRequest beat;
  beat.set_task_id(assignment.task_id());
  beat.set_fencing_token(assignment.fencing_token());
  grpc::ClientContext beat_context, fail_context;
  v1::HeartbeatResponse answer;
  EXPECT_TRUE(workers_->Heartbeat(&beat_context, beat, &answer).ok());
  EXPECT_TRUE(answer.cancel());
  google::protobuf::Empty empty;
  EXPECT_TRUE(
      workers_->Fail(&fail_context, Failure(assignment, grpc::StatusCode::CANCELLED, "cancelled"), &empty)
          .ok());
  EXPECT_EQ(GetJob(job.name()).state(), v1::Job::CANCELLED);
}

TEST_F(ServiceTest, ALostWorkersJobIsRetriedAndItsTokenIsRefused) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  const v1::Assignment first = Lease(v1::QUANTIZE).assignment();
  // No heartbeat: the lease runs out.
  const v1::Assignment second = Lease(v1::QUANTIZE, 30).assignment();
  EXPECT_EQ(second.job(), job.name());
  EXPECT_EQ(second.attempt(), 2);
  EXPECT_GT(second.fencing_token(), first.fencing_token());
  EXPECT_EQ(Complete(Success(first)).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(Complete(Success(second)).ok());
  EXPECT_EQ(
      Types(Watch(job.name(), 0)),
      (std::vector<v1::JobEvent::Type>{v1::JobEvent::CREATED, v1::JobEvent::STARTED, v1::JobEvent::RETRYING,
                                       v1::JobEvent::STARTED, v1::JobEvent::SUCCEEDED}));
}

TEST_F(ServiceTest, AJobThatKeepsFailingForAPassingReasonEndsFailed) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
    EXPECT_EQ(assignment.attempt(), attempt);
    grpc::ClientContext context;
    google::protobuf::Empty empty;
    EXPECT_TRUE(
        workers_->Fail(&context, Failure(assignment, grpc::StatusCode::INTERNAL, "a passing fault"), &empty)
            .ok());
  }
  EXPECT_EQ(GetJob(job.name()).state(), v1::Job::FAILED);
}

TEST_F(ServiceTest, ALeaseThatNobodyWaitsForTakesNoTask) {
  const std::string model = ReadyModel("weights");
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
    v1::LeaseRequest request;
    request.set_worker_id("impatient");
    request.add_kinds(v1::QUANTIZE);
    request.mutable_wait()->set_seconds(30);
    *request.mutable_engine() = ToyEngine();
    v1::LeaseResponse response;
    EXPECT_EQ(workers_->Lease(&context, request, &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  const v1::Job job = QueueJob(model);
  const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
  EXPECT_EQ(assignment.job(), job.name());
  EXPECT_EQ(assignment.attempt(), 1);
}

TEST_F(ServiceTest, ValidateOnlyAnswersWithTheWorkersPlan) {
  v1::CreateJobRequest request = JobRequest(ReadyModel("weights"));
  request.set_validate_only(true);
  std::thread worker([&] {
    const v1::Assignment assignment = Lease(v1::PLAN).assignment();
    v1::CompleteRequest complete;
    complete.set_task_id(assignment.task_id());
    complete.set_fencing_token(assignment.fencing_token());
    complete.mutable_plan()->set_memory_bytes(123);
    EXPECT_TRUE(Complete(complete).ok());
  });
  v1::CreateJobResponse response;
  const grpc::Status status = CreateJob(request, response);
  worker.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.plan().memory_bytes(), 123);
  EXPECT_FALSE(response.has_job());
}

TEST_F(ServiceTest, UnknownNamesAreRefusedWithTheirField) {
  const v1::CreateJobRequest good = JobRequest(ReadyModel("weights"));
  const auto field_of = [&](const v1::CreateJobRequest& request) {
    v1::CreateJobResponse response;
    const grpc::Status status = CreateJob(request, response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return DetailOf<google::rpc::BadRequest>(status).field_violations(0).field();
  };
  v1::CreateJobRequest request = good;
  request.mutable_targets(0)->set_format("nothing");
  EXPECT_EQ(field_of(request), "targets[0].format");
  request = good;
  request.mutable_targets(0)->set_scheme("int1");
  EXPECT_EQ(field_of(request), "targets[0].scheme");
  request = good;
  request.mutable_targets(0)->add_options()->set_name("colour");
  EXPECT_EQ(field_of(request), "targets[0].options[colour]");
  request = good;
  *request.add_targets() = request.targets(0);
  EXPECT_EQ(field_of(request), "targets[1]");
}

TEST_F(ServiceTest, ErrorsSayWhatTheyAreAbout) {
  Lease(v1::QUANTIZE, 0);  // so that the server knows an engine
  v1::CreateJobResponse response;
  const grpc::Status missing = CreateJob(JobRequest("models/none"), response);
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(DetailOf<google::rpc::ResourceInfo>(missing).resource_name(), "models/none");
  const std::string model = CreateModel("not sent yet").model().name();
  const grpc::Status early = CreateJob(JobRequest(model), response);
  EXPECT_EQ(early.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(DetailOf<google::rpc::PreconditionFailure>(early).violations(0).subject(), model);
}

TEST_F(ServiceTest, CapabilitiesAreUnavailableUntilAWorkerReports) {
  grpc::ClientContext early_context, context;
  v1::Capabilities capabilities;
  const grpc::Status early = capabilities_->GetCapabilities(&early_context, {}, &capabilities);
  EXPECT_EQ(early.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_GT(DetailOf<google::rpc::RetryInfo>(early).retry_delay().seconds(), 0);
  Lease(v1::QUANTIZE, 0);
  EXPECT_TRUE(capabilities_->GetCapabilities(&context, {}, &capabilities).ok());
  EXPECT_EQ(capabilities.engine().formats(0).name(), "toy");
}

TEST_F(ServiceTest, OneRequestIdMakesOneJob) {
  v1::CreateJobRequest request = JobRequest(ReadyModel("weights"));
  request.set_request_id("once");
  v1::CreateJobResponse first, second;
  EXPECT_TRUE(CreateJob(request, first).ok());
  EXPECT_TRUE(CreateJob(request, second).ok());
  EXPECT_EQ(first.job().name(), second.job().name());
}

TEST_F(ServiceTest, SigtermEndsWaitingCallsAndExitsCleanly) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(job.name());
  auto stream = jobs_->WatchJob(&context, request);
  v1::JobEvent event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(server_.Terminate(), 0);
  EXPECT_FALSE(stream->Read(&event));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  server_.Start();
  Connect();
  EXPECT_EQ(GetJob(job.name()).state(), v1::Job::QUEUED);
}

TEST_F(ServiceTest, ObjectsOfADeadAttemptAreGoneAfterARestart) {
  QueueJob(ReadyModel("weights"));
  const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
  const std::filesystem::path objects = server_.folder() + "/objects";
  const std::filesystem::path written = objects / assignment.artifact_prefix() / "toy-s4/model.bin";
  const std::filesystem::path stale = objects / "artifacts/old/0/toy-s4/model.bin";
  for (const auto& path : {written, stale}) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "half";
  }
  CrashAndRestart();
  EXPECT_TRUE(Eventually([&] { return !std::filesystem::exists(stale); }));
  EXPECT_TRUE(std::filesystem::exists(written)) << "its lease is still valid";
}

TEST_F(ServiceTest, MetricsAndReadiness) {
  EXPECT_NE(HttpGet(server_.metrics_address(), "/healthz").find("200 OK"), std::string::npos);
  EXPECT_NE(HttpGet(server_.metrics_address(), "/readyz").find("503"), std::string::npos);
  QueueJob(ReadyModel("weights"));
  EXPECT_NE(HttpGet(server_.metrics_address(), "/readyz").find("200 OK"), std::string::npos);
  const std::string metrics = HttpGet(server_.metrics_address(), "/metrics");
  for (const char* line :
       {"quant_jobs{state=\"queued\"} 1", "quant_jobs_submitted_total{format=\"toy\",scheme=\"s4\"} 1",
        "quant_storage_bytes{kind=\"sources\"} 7", "quant_grpc_requests_total{"}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << line << " in\n" << metrics;
  }
}

}  // namespace
}  // namespace quantd
