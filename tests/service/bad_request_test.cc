// Requests that are refused: each names the field that is wrong and changes nothing.
#include <gmock/gmock.h>

#include <filesystem>
#include <limits>
#include <thread>

#include "tests/service/service_test_base.h"

namespace quantd {
namespace {

class BadRequestTest : public ServiceTest {
 protected:
  static v1::CreateModelRequest ModelRequest() {
    v1::CreateModelRequest request;
    for (const char* path : {"config.json", "model.safetensors"}) {
      v1::ModelFile* file = request.add_files();
      file->set_path(path);
      file->set_sha256(Sha256Hex(path));
      file->set_size(10);
    }
    return request;
  }

  static std::string FieldOf(const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    return DetailOf<google::rpc::BadRequest>(status).field_violations(0).field();
  }
  grpc::Status CreateModelStatus(const v1::CreateModelRequest& request) {
    grpc::ClientContext context;
    v1::CreateModelResponse response;
    return models_->CreateModel(&context, request, &response);
  }
  grpc::Status CreateJobStatus(const v1::CreateJobRequest& request) {
    v1::CreateJobResponse response;
    return CreateJob(request, response);
  }
  int ModelCount() {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    EXPECT_TRUE(models_->ListModels(&context, {}, &response).ok());
    return response.models_size();
  }

  // Three bytes less, finish_write in the middle, and so on.
  grpc::Status SendOnce(const std::string& resource, const std::string& data, int64_t offset, bool finish) {
    grpc::ClientContext context;
    google::bytestream::WriteResponse response;
    auto stream = bytes_->Write(&context, &response);
    google::bytestream::WriteRequest request;
    request.set_resource_name(resource);
    request.set_write_offset(offset);
    request.set_data(data);
    request.set_finish_write(finish);
    stream->Write(request);
    stream->WritesDone();
    return stream->Finish();
  }
};

TEST_F(BadRequestTest, PathsThatAreNotBelowTheCheckpointsFolder) {
  for (const char* path : {"../config.json", "/etc/passwd", "a/../../b", "a//b", "a/./b", "a\\b", "", "a/",
                           "config.json\n", "model.safetensors"}) {
    v1::CreateModelRequest request = ModelRequest();
    request.mutable_files(0)->set_path(path);
    // The last one is there twice: the second is the one that is wrong.
    const std::string field = request.files(1).path() == path ? "files[1].path" : "files[0].path";
    EXPECT_EQ(FieldOf(CreateModelStatus(request)), field) << path;
  }
  EXPECT_EQ(ModelCount(), 0);
}

TEST_F(BadRequestTest, DigestsAndSizesOfFiles) {
  for (const std::string& digest :
       {std::string(), std::string(63, 'a'), std::string(64, 'A'), std::string(64, 'g')}) {
    v1::CreateModelRequest request = ModelRequest();
    request.mutable_files(1)->set_sha256(digest);
    EXPECT_EQ(FieldOf(CreateModelStatus(request)), "files[1].sha256") << digest;
  }
  v1::CreateModelRequest request = ModelRequest();
  request.mutable_files(1)->set_size(-1);
  EXPECT_EQ(FieldOf(CreateModelStatus(request)), "files[1].size");
  request = ModelRequest();
  for (v1::ModelFile& file : *request.mutable_files()) file.set_size(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(FieldOf(CreateModelStatus(request)), "files") << "the sum overflows";
  EXPECT_EQ(ModelCount(), 0);
}

TEST_F(BadRequestTest, NoFilesAndTooManyFiles) {
  EXPECT_EQ(FieldOf(CreateModelStatus({})), "files");
  v1::CreateModelRequest request;
  for (int i = 0; i <= 10000; ++i) {
    v1::ModelFile* file = request.add_files();
    file->set_path(std::to_string(i));
    file->set_sha256(Sha256Hex("x"));
    file->set_size(1);
  }
  EXPECT_EQ(FieldOf(CreateModelStatus(request)), "files");
}

TEST_F(BadRequestTest, AnUploadWhoseBytesAreOthersNamesItsFileAndIsDropped) {
  const std::string content = "the right bytes";
  const v1::CreateModelResponse created = CreateModel(content);
  const std::string resource = created.missing(0).resource_name();
  const grpc::Status wrong = SendOnce(resource, "the wrong bytes", 0, true);
  EXPECT_EQ(FieldOf(wrong), "resource_name");
  EXPECT_THAT(wrong.error_message(), testing::HasSubstr("model.safetensors"));
  EXPECT_THAT(wrong.error_message(), testing::HasSubstr(Sha256Hex("the wrong bytes")));
  EXPECT_EQ(DurableSize(resource), 0);
  EXPECT_TRUE(std::filesystem::is_empty(server_.folder() + "/uploads"));
  EXPECT_TRUE(SendOnce(resource, content, 0, true).ok());
}

TEST_F(BadRequestTest, AnUploadOfAnotherSizeIsRefusedAndGoesOn) {
  const std::string content = "twelve bytes";
  const std::string resource = CreateModel(content).missing(0).resource_name();
  const grpc::Status early = SendOnce(resource, content.substr(0, 9), 0, true);
  EXPECT_EQ(FieldOf(early), "finish_write");
  EXPECT_THAT(early.error_message(), testing::HasSubstr("model.safetensors has 9 of 12 bytes"));
  EXPECT_EQ(DurableSize(resource), 9);
  const grpc::Status longer = SendOnce(resource, content.substr(9) + "!", 9, true);
  EXPECT_EQ(FieldOf(longer), "data");
  EXPECT_THAT(longer.error_message(), testing::HasSubstr("model.safetensors"));
  EXPECT_TRUE(SendOnce(resource, content.substr(9), 9, true).ok());
}

TEST_F(BadRequestTest, ResourceNamesOfBytes) {
  const std::string good = CreateModel("bytes").missing(0).resource_name();
  for (const std::string& name : {std::string(), std::string("uploads"), "x" + good, good + "/x", good + "1"})
    EXPECT_EQ(FieldOf(SendOnce(name, "bytes", 0, true)), "resource_name") << name;
  const std::string unknown = "uploads/00000000-0000-4000-8000-000000000000/blobs/" + Sha256Hex("q") + "/1";
  EXPECT_EQ(SendOnce(unknown, "q", 0, true).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(FieldOf(SendOnce(good, std::string((1 << 20) + 1, 'x'), 0, false)), "data");
}

TEST_F(BadRequestTest, TargetsNameWhatIsKnown) {
  const v1::CreateJobRequest good = ToyJobRequest(ReadyModel("weights"));
  v1::CreateJobRequest request = good;
  request.mutable_targets(0)->set_format("nothing");
  grpc::Status status = CreateJobStatus(request);
  EXPECT_EQ(FieldOf(status), "targets[0].format");
  EXPECT_THAT(status.error_message(), testing::HasSubstr("toy"));
  request = good;
  request.mutable_targets(0)->set_scheme("int1");
  status = CreateJobStatus(request);
  EXPECT_EQ(FieldOf(status), "targets[0].scheme");
  EXPECT_THAT(status.error_message(), testing::HasSubstr("s4"));
  request = good;
  request.mutable_targets(0)->add_options()->set_name("colour");
  status = CreateJobStatus(request);
  EXPECT_EQ(FieldOf(status), "targets[0].options[colour]");
  EXPECT_THAT(status.error_message(), testing::EndsWith("there are o"));
  request = good;
  *request.add_targets() = request.targets(0);
  EXPECT_EQ(FieldOf(CreateJobStatus(request)), "targets[1]");
  request = good;
  request.clear_targets();
  EXPECT_EQ(FieldOf(CreateJobStatus(request)), "targets");
  for (int i = 0; i < 65; ++i) {
    v1::TargetOption* option =
        (*request.add_targets() = good.targets(0), request.mutable_targets(i))->add_options();
    option->set_name("o");
    option->set_value(std::to_string(i));
  }
  EXPECT_EQ(FieldOf(CreateJobStatus(request)), "targets");
}

TEST_F(BadRequestTest, ARequestIdIsForOneRequest) {
  v1::CreateModelRequest model = ModelRequest();
  model.set_request_id("model");
  EXPECT_TRUE(CreateModelStatus(model).ok());
  EXPECT_TRUE(CreateModelStatus(model).ok());
  model.mutable_files(0)->set_size(11);
  EXPECT_EQ(FieldOf(CreateModelStatus(model)), "request_id");
  EXPECT_EQ(ModelCount(), 1);
  v1::CreateJobRequest job = ToyJobRequest(ReadyModel("weights"));
  job.set_request_id("job");
  (*job.mutable_labels())["a"] = "1";
  (*job.mutable_labels())["b"] = "2";
  EXPECT_TRUE(CreateJobStatus(job).ok());
  EXPECT_TRUE(CreateJobStatus(job).ok());
  (*job.mutable_labels())["b"] = "3";
  EXPECT_EQ(FieldOf(CreateJobStatus(job)), "request_id");
}

TEST_F(BadRequestTest, AStaleTokenChangesNothing) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  const v1::Assignment assignment = Lease(v1::QUANTIZE).assignment();
  const int64_t stale = assignment.fencing_token() - 1;
  v1::HeartbeatRequest beat;
  beat.set_task_id(assignment.task_id());
  beat.set_fencing_token(stale);
  beat.mutable_progress()->set_stage("quantize");
  v1::FailRequest fail;
  fail.set_task_id(assignment.task_id());
  fail.set_fencing_token(stale);
  fail.set_code(grpc::StatusCode::INVALID_ARGUMENT);
  v1::CompleteRequest complete;
  complete.set_task_id(assignment.task_id());
  complete.set_fencing_token(stale);
  complete.mutable_job();
  grpc::ClientContext beat_context, fail_context;
  v1::HeartbeatResponse answer;
  google::protobuf::Empty empty;
  for (const grpc::Status& status : {workers_->Heartbeat(&beat_context, beat, &answer),
                                     workers_->Fail(&fail_context, fail, &empty), Complete(complete)}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(DetailOf<google::rpc::PreconditionFailure>(status).violations(0).subject(),
              "tasks/" + assignment.task_id());
  }
  EXPECT_EQ(GetJob(job.name()).state(), v1::Job::RUNNING);
  EXPECT_EQ(GetJob(job.name()).progress().stage(), "");
}

TEST_F(BadRequestTest, APlansErrorNamesTheFieldThatTheWorkerFound) {
  v1::CreateJobRequest request = ToyJobRequest(ReadyModel("weights"));
  request.set_validate_only(true);
  v1::FailRequest fail;
  fail.set_code(grpc::StatusCode::INVALID_ARGUMENT);
  fail.set_field("targets[0].options[o]");
  fail.set_message("targets[0].options[o]: matches nothing");
  const auto answer_with_failure = [&](v1::TaskKind kind) {
    const v1::Assignment assignment = Lease(kind).assignment();
    fail.set_task_id(assignment.task_id());
    fail.set_fencing_token(assignment.fencing_token());
    grpc::ClientContext context;
    google::protobuf::Empty empty;
    EXPECT_TRUE(workers_->Fail(&context, fail, &empty).ok());
  };
  {
    std::jthread worker([&] { answer_with_failure(v1::PLAN); });
    EXPECT_EQ(FieldOf(CreateJobStatus(request)), "targets[0].options[o]");
  }
  const v1::Job job = QueueJob(request.model());
  answer_with_failure(v1::QUANTIZE);
  EXPECT_EQ(GetJob(job.name()).error_field(), "targets[0].options[o]");
}

TEST_F(BadRequestTest, AModelIsHeldByUnfinishedJobsOnly) {
  const v1::Job job = QueueJob(ReadyModel("weights"));
  const auto remove = [&] {
    grpc::ClientContext context;
    v1::DeleteModelRequest request;
    request.set_name(job.model());
    google::protobuf::Empty response;
    return models_->DeleteModel(&context, request, &response);
  };
  const grpc::Status held = remove();
  EXPECT_EQ(held.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(DetailOf<google::rpc::PreconditionFailure>(held).violations(0).subject(), job.model());
  Cancel(job.name());
  EXPECT_TRUE(remove().ok());
  EXPECT_EQ(GetJob(job.name()).model(), job.model());
}

}  // namespace
}  // namespace quantd
