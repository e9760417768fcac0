// A store on a small file system: what does not fit is refused before it begins or removed when it fails.
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tests/service/end_to_end_test_base.h"

namespace quantd {
namespace {

// The data folder is a tmpfs of 64 MiB, below the server's folder.
class DiskFullTest : public EndToEndTest {
 protected:
  DiskFullTest() : EndToEndTest({.workers = 1, .data_dir = "disk", .arguments = {"--worker-threads", "1"}}) {}

  void SetUp() override {
    disk_ = server_.folder() + "/disk";
    std::filesystem::create_directory(disk_);
    if (::mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=64m") != 0)
      GTEST_SKIP() << "cannot mount a tmpfs: " << std::strerror(errno);
    mounted_ = true;
    EndToEndTest::SetUp();
  }
  void TearDown() override {
    server_.Kill();
    // The workers end with their parent, a moment after it.
    if (!mounted_) return;
    EXPECT_TRUE(Eventually([&] { return ::umount(disk_.c_str()) == 0; }));
  }

  // Leaves `bytes` free.
  void Fill(int64_t bytes) {
    const auto free = static_cast<int64_t>(std::filesystem::space(disk_).available);
    std::ofstream(disk_ + "/filler", std::ios::app) << std::string(static_cast<size_t>(free - bytes), 'x');
  }
  void Unfill() { std::filesystem::remove(disk_ + "/filler"); }

  std::string disk_;
  bool mounted_ = false;
};

TEST_F(DiskFullTest, AModelThatDoesNotFitIsRefused) {
  v1::CreateModelRequest request;
  v1::ModelFile* file = request.add_files();
  file->set_path("model.safetensors");
  file->set_sha256(Sha256Hex("x"));
  file->set_size(100 << 20);
  grpc::ClientContext context;
  v1::CreateModelResponse response;
  const grpc::Status status = models_->CreateModel(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_GT(DetailOf<google::rpc::RetryInfo>(status).retry_delay().seconds(), 0);
}

TEST_F(DiskFullTest, AnUploadThatMeetsAFullDiskGoesOnWhenThereIsRoom) {
  const std::string content(20 << 20, 'c');
  const std::string resource = CreateModel(content).missing(0).resource_name();
  Fill(8 << 20);
  EXPECT_EQ(Send(resource, content, 0, content.size()).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Unfill();
  const int64_t durable = DurableSize(resource);
  EXPECT_LE(durable, 8 << 20);
  const grpc::Status sent = Send(resource, content, static_cast<size_t>(durable), content.size());
  EXPECT_TRUE(sent.ok()) << sent.error_message();
}

TEST_F(DiskFullTest, AJobThatDoesNotFitFailsBeforeItWrites) {
  const std::string model = ReadyCheckpoint(LongCheckpoint());
  Fill(4 << 20);
  const v1::Job job = WaitForEnd(StartJob(model));
  EXPECT_EQ(job.state(), v1::Job::FAILED);
  EXPECT_EQ(job.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(job.attempt(), 1);
  EXPECT_EQ(job.progress().bytes_done(), 0);
}

TEST_F(DiskFullTest, AJobThatMeetsAFullDiskFailsAndLeavesNothing) {
  const std::string model = ReadyCheckpoint(LongCheckpoint());
  MakeDiskSlow();
  const std::string name = StartJob(model);
  WaitForMiddle(name);
  Fill(256 << 10);
  MakeDiskFast();
  const v1::Job job = WaitForEnd(name);
  EXPECT_EQ(job.state(), v1::Job::FAILED);
  EXPECT_EQ(job.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << job.error();
  EXPECT_TRUE(FilesIn("disk/objects/artifacts").empty());
  EXPECT_TRUE(FilesIn("disk/temporary").empty());
  Unfill();
  EXPECT_EQ(WaitForEnd(StartJob(model)).state(), v1::Job::SUCCEEDED);
}

}  // namespace
}  // namespace quantd
