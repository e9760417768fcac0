// Uploads to a real server: resumed at the durable offset, checked, sent once.
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/service/service_test_base.h"

namespace quantd {
namespace {

std::string Content(size_t size) {
  std::string content(size, '\0');
  uint32_t state = 1;
  for (char& c : content) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return content;
}

TEST_F(ServiceTest, UploadGoesOnAtTheDurableOffsetAfterACrash) {
  const std::string content = Content(40 << 20);
  const v1::CreateModelResponse created = CreateModel(content);
  const std::string resource = created.missing(0).resource_name();
  EXPECT_EQ(created.missing(0).committed_size(), 0);
  // No finish_write: the stream breaks off, and what came is kept.
  EXPECT_EQ(Send(resource, content, 0, 35 << 20).error_code(), grpc::StatusCode::CANCELLED);
  CrashAndRestart();
  const int64_t durable = DurableSize(resource);
  EXPECT_EQ(durable, 35 << 20);
  const v1::CreateModelResponse again = CreateModel(content);
  EXPECT_EQ(again.missing(0).resource_name(), resource);
  EXPECT_EQ(again.missing(0).committed_size(), durable);
  const grpc::Status sent = Send(resource, content, static_cast<size_t>(durable), content.size());
  EXPECT_TRUE(sent.ok()) << sent.error_message();
  EXPECT_EQ(GetModel(created.model().name()).state(), v1::Model::INSPECTING);
}

TEST_F(ServiceTest, KillInTheMiddleOfAStreamLosesAtMost32MiB) {
  const std::string content = Content(48 << 20);
  const std::string resource = CreateModel(content).missing(0).resource_name();
  grpc::ClientContext context;
  google::bytestream::WriteResponse response;
  auto stream = bytes_->Write(&context, &response);
  for (size_t at = 0; at < 40u << 20; at += 1 << 20) {
    google::bytestream::WriteRequest request;
    request.set_resource_name(resource);
    request.set_write_offset(static_cast<int64_t>(at));
    request.set_data(content.substr(at, 1 << 20));
    ASSERT_TRUE(stream->Write(request));
  }
  ASSERT_TRUE(Eventually([&] {
    return HttpGet(server_.metrics_address(), "/metrics").find("quant_upload_bytes_total 41943040") !=
           std::string::npos;
  }));
  server_.Kill();
  stream->Finish();
  server_.Start();
  Connect();
  const int64_t durable = DurableSize(resource);
  EXPECT_GE(durable, 32 << 20);
  EXPECT_TRUE(Send(resource, content, static_cast<size_t>(durable), content.size()).ok());
  EXPECT_EQ(Metric("quant_upload_bytes_total"), static_cast<double>(content.size()) - durable)
      << "nothing before the durable offset is sent again";
  EXPECT_EQ(Metric("quant_upload_resumes_total"), 1);
}

TEST_F(ServiceTest, ABlobThatWasPublishedBeforeACrashIsNotSentAgain) {
  const std::string content = Content(3 << 20);
  const v1::CreateModelResponse created = CreateModel(content);
  const std::string resource = created.missing(0).resource_name();
  server_.Kill();
  // "uploads/ID/blobs/SHA/SIZE": the object is there, the catalogue has not heard of it.
  const std::string id = resource.substr(8, resource.find('/', 8) - 8);
  const std::filesystem::path blobs = server_.folder() + "/objects/blobs";
  std::filesystem::create_directories(blobs);
  std::ofstream(blobs / (Sha256Hex(content) + "-" + id)) << content;
  std::ofstream(blobs / (Sha256Hex("x") + "-nobody")) << "x";
  std::ofstream(server_.folder() + "/uploads/nobody") << "y";
  server_.Start();
  Connect();
  EXPECT_EQ(GetModel(created.model().name()).state(), v1::Model::INSPECTING);
  EXPECT_EQ(CreateModel(content).missing_size(), 0);
  EXPECT_EQ(DurableSize(resource), static_cast<int64_t>(content.size()));
  EXPECT_TRUE(Send(resource, content, 0, content.size()).ok()) << "a client that did not ask is told so";
  EXPECT_EQ(Metric("quant_upload_bytes_total"), 0);
  EXPECT_FALSE(std::filesystem::exists(blobs / (Sha256Hex("x") + "-nobody")));
  EXPECT_FALSE(std::filesystem::exists(server_.folder() + "/uploads/nobody"));
}

TEST_F(ServiceTest, APartOfAnUploadGoesWithItsLastModel) {
  const std::string content = Content(3 << 20);
  const v1::CreateModelResponse created = CreateModel(content);
  Send(created.missing(0).resource_name(), content, 0, 2 << 20);
  ASSERT_EQ(DurableSize(created.missing(0).resource_name()), 2 << 20);
  grpc::ClientContext context;
  v1::DeleteModelRequest request;
  request.set_name(created.model().name());
  google::protobuf::Empty response;
  EXPECT_TRUE(models_->DeleteModel(&context, request, &response).ok());
  EXPECT_TRUE(std::filesystem::is_empty(server_.folder() + "/uploads"));
  EXPECT_EQ(CreateModel(content).missing(0).committed_size(), 0);
}

TEST_F(ServiceTest, EightStreamsAtOnceStayUnder150MiB) {
  std::vector<std::jthread> clients;
  for (char i = 0; i < 8; ++i) {
    clients.emplace_back([this, i] {
      std::string content = Content(48 << 20);
      content[0] = i;
      const grpc::Status sent =
          Send(CreateModel(content).missing(0).resource_name(), content, 0, content.size());
      EXPECT_TRUE(sent.ok()) << sent.error_message();
    });
  }
  clients.clear();
  EXPECT_LT(server_.PeakMemory(), 150 << 20);
}

TEST_F(ServiceTest, OneWriterAtATime) {
  const std::string content = Content(2 << 20);
  const std::string resource = CreateModel(content).missing(0).resource_name();
  grpc::ClientContext context;
  google::bytestream::WriteResponse response;
  auto first = bytes_->Write(&context, &response);
  google::bytestream::WriteRequest request;
  request.set_resource_name(resource);
  request.set_data(content.substr(0, 1 << 20));
  ASSERT_TRUE(first->Write(request));
  ASSERT_TRUE(Eventually([&] {
    return HttpGet(server_.metrics_address(), "/metrics").find("quant_upload_bytes_total 1048576") !=
           std::string::npos;
  }));
  EXPECT_EQ(Send(resource, content, 0, content.size()).error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(DurableSize(resource), 0) << "what the first stream sent is not flushed yet";
  context.TryCancel();
  first->Finish();
  // What it sent is kept, and the next stream goes on there.
  ASSERT_TRUE(Eventually([&] { return DurableSize(resource) == 1 << 20; }));
  EXPECT_TRUE(Send(resource, content, 1 << 20, content.size()).ok());
}

TEST_F(ServiceTest, OnlyTheDurableOffsetMayBeTheStart) {
  const std::string content = Content(3 << 20);
  const std::string resource = CreateModel(content).missing(0).resource_name();
  const grpc::Status status = Send(resource, content, 1 << 20, content.size());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(status).field_violations(0).field(), "write_offset");
}

TEST_F(ServiceTest, WrongDigestIsRefusedAndTheBytesAreDropped) {
  const std::string content = Content(2 << 20);
  const v1::CreateModelResponse created = CreateModel(content);
  const std::string resource = created.missing(0).resource_name();
  std::string wrong = content;
  wrong[1000] ^= 1;
  EXPECT_EQ(Send(resource, wrong, 0, wrong.size()).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(GetModel(created.model().name()).state(), v1::Model::UPLOADING);
  EXPECT_EQ(DurableSize(resource), 0);
  EXPECT_TRUE(Send(resource, content, 0, content.size()).ok());
}

TEST_F(ServiceTest, TheSameBytesAreSentOnce) {
  const std::string content = Content(1 << 20);
  const v1::CreateModelResponse first = CreateModel(content);
  EXPECT_TRUE(Send(first.missing(0).resource_name(), content, 0, content.size()).ok());
  const v1::CreateModelResponse second = CreateModel(content);
  EXPECT_EQ(second.missing_size(), 0);
  EXPECT_NE(second.model().name(), first.model().name());
}

TEST_F(ServiceTest, AnEmptyFileIsABlobToo) {
  const v1::CreateModelResponse created = CreateModel("");
  EXPECT_TRUE(Send(created.missing(0).resource_name(), "", 0, 0).ok());
  EXPECT_EQ(GetModel(created.model().name()).state(), v1::Model::INSPECTING);
}

TEST_F(ServiceTest, BytesAreReadFromAnyOffset) {
  const std::string content = Content((3 << 20) + 17);
  EXPECT_TRUE(Send(CreateModel(content).missing(0).resource_name(), content, 0, content.size()).ok());
  for (size_t offset : {size_t{0}, size_t{1}, size_t{2} << 20, content.size()}) {
    grpc::ClientContext context;
    google::bytestream::ReadRequest request;
    request.set_resource_name("blobs/" + Sha256Hex(content) + "/" + std::to_string(content.size()));
    request.set_read_offset(static_cast<int64_t>(offset));
    auto stream = bytes_->Read(&context, request);
    std::string received;
    for (google::bytestream::ReadResponse response; stream->Read(&response);) received += response.data();
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(received, content.substr(offset));
  }
}

TEST_F(ServiceTest, OneRequestIdMakesOneModel) {
  EXPECT_EQ(CreateModel("a", "id-1").model().name(), CreateModel("a", "id-1").model().name());
}

TEST_F(ServiceTest, APathThatClimbsIsRefusedWithItsField) {
  v1::CreateModelRequest request;
  v1::ModelFile* file = request.add_files();
  file->set_path("../config.json");
  file->set_sha256(Sha256Hex("a"));
  file->set_size(1);
  grpc::ClientContext context;
  v1::CreateModelResponse response;
  const grpc::Status status = models_->CreateModel(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(status).field_violations(0).field(), "files[0].path");
}

}  // namespace
}  // namespace quantd
