// Retention and collection on a real server: bytes go when nothing needs them, and not before.
#include <filesystem>
#include <fstream>

#include "tests/service/service_test_base.h"

namespace quantd {
namespace {

class CollectionServiceTest : public ServiceTest {
 protected:
  CollectionServiceTest()
      : ServiceTest({.arguments = {"--artifact-retention", "1s", "--model-retention", "1s",
                                   "--upload-retention", "1s"}}) {}

  v1::CollectGarbageResponse Collect(bool dry_run) {
    grpc::ClientContext context;
    v1::CollectGarbageRequest request;
    request.set_dry_run(dry_run);
    v1::CollectGarbageResponse response;
    const grpc::Status status = admin_->CollectGarbage(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // A second after the last use.
  bool CollectsInTheEnd(int records) {
    return Eventually([&] { return Collect(true).records_size() == records; });
  }

  // A job with one artifact of these bytes, as a worker makes it.
  void EndJob(const std::string& artifact) {
    v1::CreateJobRequest request = ToyJobRequest(ReadyModel("weights"));
    request.set_priority(10);
    v1::CreateJobResponse response;
    EXPECT_TRUE(CreateJob(request, response).ok());
    const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
    EXPECT_EQ(assignment.job(), response.job().name());
    v1::CompleteRequest complete;
    complete.set_task_id(assignment.task_id());
    complete.set_fencing_token(assignment.fencing_token());
    v1::PublishedObject* object = complete.mutable_job()->add_objects();
    object->set_object_key(assignment.artifact_prefix() + "/file");
    object->set_sha256(Sha256Hex(artifact));
    object->set_size(static_cast<int64_t>(artifact.size()));
    path_ = Objects() / object->object_key();
    std::filesystem::create_directories(path_.parent_path());
    std::ofstream(path_) << artifact;
    EXPECT_TRUE(Complete(complete).ok());
  }
  std::filesystem::path Objects() { return server_.folder() + "/objects"; }

  std::filesystem::path path_;  // of the artifact
};

TEST_F(CollectionServiceTest, WhatIsNotUsedGoesAndADryRunSaysSoBefore) {
  EndJob("artifact");
  ASSERT_TRUE(CollectsInTheEnd(2));
  const v1::CollectGarbageResponse would = Collect(true);
  EXPECT_EQ(would.objects(), 2);
  EXPECT_EQ(would.bytes(), 15);
  EXPECT_TRUE(std::filesystem::exists(path_));
  const v1::CollectGarbageResponse did = Collect(false);
  EXPECT_EQ(did.SerializeAsString(), would.SerializeAsString());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(Collect(false).records_size(), 0);
}

TEST_F(CollectionServiceTest, AFetchThatRunsReadsToItsEnd) {
  const std::string artifact(64 << 20, 'a');
  EndJob(artifact);
  grpc::ClientContext context;
  google::bytestream::ReadRequest request;
  request.set_resource_name("blobs/" + Sha256Hex(artifact) + "/" + std::to_string(artifact.size()));
  auto stream = bytes_->Read(&context, request);
  google::bytestream::ReadResponse response;
  ASSERT_TRUE(stream->Read(&response));
  size_t read = response.data().size();
  // More than the transport holds is still to be read when the object goes.
  ASSERT_TRUE(Eventually([&] { return Collect(false).objects() > 0 && !std::filesystem::exists(path_); }));
  while (stream->Read(&response)) read += response.data().size();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(read, artifact.size());
}

TEST_F(CollectionServiceTest, WhatAJobThatHasNotEndedNeedsStays) {
  const std::string model = ReadyModel("other weights");
  QueueJob(model);
  EndJob("artifact");
  // What came later has gone by then, so that time has passed.
  ASSERT_TRUE(Eventually([&] { return Collect(false).records_size() > 0; }));
  EXPECT_EQ(GetModel(model).state(), v1::Model::READY);
  EXPECT_EQ(Lease(v1::QUANTIZE).assignment().files_size(), 1);
}

TEST_F(CollectionServiceTest, AnAbandonedUploadGoesWithItsBytes) {
  const std::string content(2 << 20, 'c');
  const std::string resource = CreateModel(content).missing(0).resource_name();
  Send(resource, content, 0, 1 << 20);
  ASSERT_TRUE(Eventually([&] { return DurableSize(resource) == 1 << 20; }));
  ASSERT_TRUE(CollectsInTheEnd(1));
  const v1::CollectGarbageResponse collected = Collect(false);
  EXPECT_EQ(collected.uploads(), 1);
  EXPECT_EQ(collected.bytes(), 1 << 20);
  EXPECT_EQ(Send(resource, content, 1 << 20, content.size()).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace quantd
