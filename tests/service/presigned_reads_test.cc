// A fetch reads from the bucket itself where the server gives URLs, and from the server where they don't
// work.
#include <gmock/gmock.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/sha256.h"
#include "client/blob_fetcher.h"
#include "client/local_blob.h"
#include "tests/service/shared_cluster.h"

namespace quantd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// A BlobService beside the real server's ByteStream: the URLs that a test gives, one after the other.
class PlayedServer final : public v1::BlobService::Service, public google::bytestream::ByteStream::Service {
 public:
  explicit PlayedServer(std::deque<std::string> urls) : urls_(std::move(urls)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<v1::BlobService::Service*>(this));
    builder.RegisterService(static_cast<google::bytestream::ByteStream::Service*>(this));
    server_ = builder.BuildAndStart();
  }

  grpc::Status GetBlobUrl(grpc::ServerContext* /*call*/, const v1::GetBlobUrlRequest* /*request*/,
                          v1::BlobUrl* response) override {
    response->set_url(urls_.front());
    urls_.pop_front();
    return grpc::Status::OK;
  }
  grpc::Status Read(grpc::ServerContext* /*call*/, const google::bytestream::ReadRequest* request,
                    grpc::ServerWriter<google::bytestream::ReadResponse>* writer) override {
    ++reads_;
    grpc::ClientContext context;
    auto stream = google::bytestream::ByteStream::NewStub(SharedCluster().server(0).channel())
                      ->Read(&context, *request);
    for (google::bytestream::ReadResponse response; stream->Read(&response);) writer->Write(response);
    return stream->Finish();
  }

  std::unique_ptr<Connection> Connect() const {
    return *Connection::Open({.server = absl::StrCat("127.0.0.1:", port_), .credentials = {}});
  }
  size_t urls_left() const { return urls_.size(); }
  int reads() const { return reads_; }

 private:
  int port_ = 0;
  std::deque<std::string> urls_;
  int reads_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class PresignedReadsTest : public testing::Test {
 protected:
  void SetUp() override {
    // Of several blocks, the last one short.
    content_.assign(2 * DirectBlob::kMostBytes + 12345, 'x');
    for (size_t i = 0; i < content_.size(); i += 4096) content_[i] = static_cast<char>(i >> 12);
    file_.set_path("model.gguf");
    file_.set_sha256(Sha256Hex(content_));
    file_.set_size(static_cast<int64_t>(content_.size()));
    Upload();
    path_ = absl::StrCat(SharedCluster().folder(), "/presigned/",
                         testing::UnitTest::GetInstance()->current_test_info()->name());
  }

  void Upload() {
    v1::CreateModelRequest request;
    v1::ModelFile* model_file = request.add_files();
    model_file->set_path("model.safetensors");
    model_file->set_sha256(file_.sha256());
    model_file->set_size(file_.size());
    v1::CreateModelResponse created;
    ASSERT_TRUE(real_
                    ->Call([&](grpc::ClientContext& context) {
                      return real_->models->CreateModel(&context, request, &created);
                    })
                    .ok());
    const std::string local = SharedCluster().folder() + "/presigned-source";
    std::ofstream(local, std::ios::binary) << content_;
    for (const v1::MissingBlob& missing : created.missing()) {
      const absl::Status sent =
          SendBlob(*real_, missing.resource_name(), **LocalBlob::Open(local), [](int64_t) {});
      ASSERT_TRUE(sent.ok()) << sent;
    }
  }

  // The blob's object, wherever the server has put it.
  std::string Url(absl::Duration lifetime) {
    const std::string key = SharedCluster().Sql(
        absl::StrCat("SELECT object_key FROM blobs WHERE sha256='", file_.sha256(), "'"))[0];
    return *SharedCluster().OpenObjects()->PresignedUrl(key, lifetime);
  }
  // One that the store does not take any more.
  std::string ExpiredUrl() {
    std::string url = Url(absl::Minutes(1));
    const size_t date = url.find("X-Amz-Date=") + std::string("X-Amz-Date=").size();
    url.replace(date, 4, "2020");
    return url;
  }

  // Fetches, checks the bytes, and gives what was said on stderr.
  std::string Fetch(const Connection& connection) {
    DirectReads direct(connection);
    testing::internal::CaptureStderr();
    const absl::Status fetched = FetchBlob(connection, direct, file_, path_, [](int64_t) {});
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(fetched.ok()) << fetched;
    std::ifstream stream(path_, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    EXPECT_TRUE(bytes == content_);
    return said;
  }

  std::unique_ptr<Connection> real_ = SharedCluster().Connect(0);
  std::string content_;
  v1::ArtifactFile file_;
  std::string path_;
};

TEST_F(PresignedReadsTest, BytesComeFromTheBucket) {
  const auto reads = [] {
    const std::string text = HttpGet(SharedCluster().server(0).metrics_address(), "/metrics");
    return text.find("method=\"/google.bytestream.ByteStream/Read\"") != std::string::npos;
  };
  const bool had_read = reads();
  EXPECT_THAT(Fetch(*real_), IsEmpty());
  EXPECT_EQ(reads(), had_read) << "no byte went through the server";
}

TEST_F(PresignedReadsTest, AFetchGoesOnWhereItEnded) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  std::ofstream(path_ + ".part", std::ios::binary) << content_.substr(0, 10'000'000);
  EXPECT_THAT(Fetch(*real_), IsEmpty());
}

TEST_F(PresignedReadsTest, AnExpiredUrlIsAskedForAnew) {
  PlayedServer server({Url(absl::Seconds(2)), Url(absl::Minutes(1))});
  const auto connection = server.Connect();
  DirectReads direct(*connection);
  DirectBlob blob(direct, absl::StrCat("blobs/", file_.sha256(), "/", file_.size()));
  EXPECT_EQ(*blob.Read(0, 100, {}), content_.substr(0, 100));
  EXPECT_EQ(server.urls_left(), 1u);
  // Until the store refuses the first one.
  EXPECT_TRUE(Eventually([&] {
    EXPECT_EQ(*blob.Read(100, 100, {}), content_.substr(100, 100));
    return server.urls_left() == 0;
  }));
  EXPECT_TRUE(direct.usable());
}

TEST_F(PresignedReadsTest, AUrlThatIsRefusedAtOnceIsToldAndTheServerReads) {
  PlayedServer server({ExpiredUrl()});
  EXPECT_THAT(Fetch(*server.Connect()), HasSubstr("note: reads through quantd"));
  EXPECT_EQ(server.reads(), 1);
}

TEST_F(PresignedReadsTest, AUrlThatCannotBeReachedIsToldAndTheServerReads) {
  PlayedServer server({"http://127.0.0.1:1/bucket/key?X-Amz-Signature=secret"});
  const std::string said = Fetch(*server.Connect());
  EXPECT_THAT(said, HasSubstr("http://127.0.0.1:1"));
  EXPECT_THAT(said, testing::Not(HasSubstr("secret")));
  EXPECT_EQ(server.reads(), 1);
}

TEST_F(PresignedReadsTest, AServerThatGivesNoUrlsReadsWithoutAWord) {
  ServerProcess server(
      {.arguments = {"--presigned-reads", "off", "--catalogue", SharedCluster().postgres().Address(),
                     "--objects", SharedCluster().objects_url()},
       .environment = Cluster::Environment()});
  server.Start();
  EXPECT_THAT(Fetch(**Connection::Open({.server = server.address(), .credentials = {}})), IsEmpty());
}

}  // namespace
}  // namespace quantd
