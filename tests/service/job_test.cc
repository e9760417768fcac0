// Jobs on a real server, with a worker that the test plays: queue, leases, events, cancel, drain.
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <tuple>

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
  v1::CreateJobRequest request = ToyJobRequest(ReadyModel("weights"));
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
  const v1::CreateJobRequest good = ToyJobRequest(ReadyModel("weights"));
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
  const grpc::Status missing = CreateJob(ToyJobRequest("models/none"), response);
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(DetailOf<google::rpc::ResourceInfo>(missing).resource_name(), "models/none");
  const std::string model = CreateModel("not sent yet").model().name();
  const grpc::Status early = CreateJob(ToyJobRequest(model), response);
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
  v1::CreateJobRequest request = ToyJobRequest(ReadyModel("weights"));
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

// Two workers, one of them with a GPU, and a job of the latter's.
class DeviceTest : public ServiceTest {
 protected:
  static v1::LeaseRequest RequestOf(const std::string& worker_id, const std::vector<std::string>& devices,
                                    const std::string& device_name, int wait_seconds) {
    v1::LeaseRequest request = LeaseRequest(v1::QUANTIZE, wait_seconds);
    request.set_worker_id(worker_id);
    v1::Engine& engine = *request.mutable_engine();
    engine.mutable_devices()->Assign(devices.begin(), devices.end());
    engine.add_device_names(device_name);
    engine.add_codecs("Q4_K");
    return request;
  }

  void SetUp() override {
    ServiceTest::SetUp();
    QueueJob(ReadyModel("weights"));
    assignment_ = Lease(RequestOf("with-gpu", {"cuda", "cpu"}, "cuda:0 test", 10)).assignment();
    waiting_ = std::jthread([this] { Lease(RequestOf("without", {"cpu"}, "cpu test", 5)); });
    ASSERT_TRUE(Eventually([&] { return Workers("idle", "cpu") == 1; }));
  }

  double Workers(const std::string& state, const std::string& device) {
    return Metric("quant_workers{device=\"" + device + "\",state=\"" + state + "\"}");
  }

  v1::Assignment assignment_;
  std::jthread waiting_;
};

TEST_F(DeviceTest, WorkersAreCountedByTheDeviceThatTheyPrefer) {
  EXPECT_EQ(Workers("busy", "cuda"), 1);
  EXPECT_EQ(Workers("idle", "cuda"), 0);
  EXPECT_EQ(Workers("busy", "cpu"), 0);
}

TEST_F(DeviceTest, CapabilitiesHaveTheDevicesOfAllWorkers) {
  grpc::ClientContext context;
  v1::Capabilities capabilities;
  ASSERT_TRUE(capabilities_->GetCapabilities(&context, {}, &capabilities).ok());
  const v1::Engine& engine = capabilities.engine();
  EXPECT_EQ(std::vector<std::string>(engine.devices().begin(), engine.devices().end()),
            (std::vector<std::string>{"cpu", "cuda"}));
  const auto& names = engine.device_names();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).count("cuda:0 test"), 1u);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).count("cpu test"), 1u);
}

TEST_F(DeviceTest, EncodedBytesAreCountedByTheDeviceThatEncodedThem) {
  v1::HeartbeatRequest beat;
  beat.set_task_id(assignment_.task_id());
  beat.set_fencing_token(assignment_.fencing_token());
  for (const auto& [device, codec, bytes] :
       {std::tuple("cuda", "Q4_K", 144), {"cpu", "Q4_K", 288}, {"abacus", "Q9", 5}}) {
    v1::EncodedBytes* encoded = beat.mutable_figures()->add_encoded();
    encoded->set_device(device);
    encoded->set_codec(codec);
    encoded->set_bytes(bytes);
  }
  grpc::ClientContext context;
  v1::HeartbeatResponse answer;
  ASSERT_TRUE(workers_->Heartbeat(&context, beat, &answer).ok());
  const std::string series = "quant_tensor_bytes_processed_total{codec=\"";
  EXPECT_EQ(Metric(series + "Q4_K\",device=\"cuda\"}"), 144);
  EXPECT_EQ(Metric(series + "Q4_K\",device=\"cpu\"}"), 288);
  EXPECT_EQ(Metric(series + "other\",device=\"other\"}"), 5) << "labels come from closed lists";
}

}  // namespace
}  // namespace quantd
