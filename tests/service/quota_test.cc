// Quotas over gRPC: the error says what is used up and when to try again, and the metric counts it.
#include "tests/service/service_test_base.h"

namespace quantd {
namespace {

class QuotaServiceTest : public ServiceTest {
 protected:
  QuotaServiceTest()
      : ServiceTest({.arguments = {"--tenant-limits", "stored_bytes=20,queued_jobs=2,upload_streams=1"}}) {}

  void ExpectQuota(const grpc::Status& status, const std::string& resource) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    const auto failure = DetailOf<google::rpc::QuotaFailure>(status);
    ASSERT_EQ(failure.violations_size(), 1);
    EXPECT_EQ(failure.violations(0).subject(), "tenant:default");
    EXPECT_EQ(failure.violations(0).description(), status.error_message());
    EXPECT_EQ(Metric("quant_quota_rejections_total{resource=\"" + resource + "\",tenant=\"default\"}"), 1);
  }
};

TEST_F(QuotaServiceTest, StoredBytes) {
  v1::CreateModelRequest request;
  v1::ModelFile* file = request.add_files();
  file->set_path("model.safetensors");
  file->set_sha256(Sha256Hex("x"));
  file->set_size(21);
  grpc::ClientContext context;
  v1::CreateModelResponse response;
  ExpectQuota(models_->CreateModel(&context, request, &response), "stored_bytes");
}

TEST_F(QuotaServiceTest, QueuedJobs) {
  const std::string model = ReadyModel("weights");
  QueueJob(model);
  QueueJob(model);
  v1::CreateJobResponse response;
  const grpc::Status refused = CreateJob(ToyJobRequest(model), response);
  ExpectQuota(refused, "queued_jobs");
  EXPECT_GT(DetailOf<google::rpc::RetryInfo>(refused).retry_delay().seconds(), 0);
}

TEST_F(QuotaServiceTest, UploadStreams) {
  const std::string resource = CreateModel("0123456789").missing(0).resource_name();
  grpc::ClientContext context;
  google::bytestream::WriteResponse response;
  auto open = bytes_->Write(&context, &response);
  google::bytestream::WriteRequest request;
  request.set_resource_name(resource);
  request.set_data("01");
  ASSERT_TRUE(open->Write(request));
  ASSERT_TRUE(Eventually([&] { return Metric("quant_upload_bytes_total") == 2; }));
  const grpc::Status refused = Send(resource, "0123456789", 0, 10);
  ExpectQuota(refused, "upload_streams");
  EXPECT_GT(DetailOf<google::rpc::RetryInfo>(refused).retry_delay().seconds(), 0);
  open->WritesDone();
  open->Finish();
  EXPECT_TRUE(Eventually([&] { return Send(resource, "0123456789", 2, 10).ok(); }));
}

TEST_F(QuotaServiceTest, AnArtifactThatDoesNotFitFailsItsJob) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
  v1::CompleteRequest request;
  request.set_task_id(assignment.task_id());
  request.set_fencing_token(assignment.fencing_token());
  v1::PublishedObject* object = request.mutable_job()->add_objects();
  object->set_object_key(assignment.artifact_prefix() + "/file");
  object->set_sha256(Sha256Hex("artifact"));
  object->set_size(14);
  EXPECT_TRUE(Complete(request).ok());
  EXPECT_EQ(GetJob(job.name()).state(), v1::Job::FAILED);
  EXPECT_EQ(GetJob(job.name()).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Metric("quant_quota_rejections_total{resource=\"stored_bytes\",tenant=\"default\"}"), 1);
}

}  // namespace
}  // namespace quantd
