// What the tests with the real worker share: a job that stays in its middle until the test lets it end.
#pragma once

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/service/service_test_base.h"
#include "tests/support/checkpoint_builder.h"

namespace quantd {

class EndToEndTest : public ServiceTest {
 protected:
  explicit EndToEndTest(ServerOptions options = {.workers = 1, .arguments = {"--worker-threads", "1"}})
      : ServiceTest(OnDiskThatCanBeSlow(std::move(options))) {}

  // Of 255 tensors, each read for itself: on a slow disk a job goes on in small steps, for far longer than
  // the tests that watch it take.
  static std::map<std::string, std::string> LongCheckpoint() {
    return SmallLlama({.layers = 28, .hidden = 256, .feed_forward = 512, .heads = 8, .key_value_heads = 4});
  }

  // From here on a job over LongCheckpoint does not end by itself (tests/support/slow_disk.cc).
  void MakeDiskSlow() { std::ofstream(SlowSwitch()).put('\n'); }
  void MakeDiskFast() { std::filesystem::remove(SlowSwitch()); }

  std::string ReadyCheckpoint(const std::map<std::string, std::string>& files) {
    const std::string model = SendCheckpoint(files).name();
    EXPECT_TRUE(Eventually([&] { return GetModel(model).state() > v1::Model::INSPECTING; }));
    EXPECT_EQ(GetModel(model).state(), v1::Model::READY) << GetModel(model).error();
    return model;
  }

  static v1::CreateJobRequest Request(const std::string& model) {
    v1::CreateJobRequest request;
    request.set_model(model);
    for (const auto& [format, scheme] : {std::pair("gguf", "Q4_K_M"), std::pair("mlx", "int4")}) {
      v1::Target* target = request.add_targets();
      target->set_format(format);
      target->set_scheme(scheme);
    }
    return request;
  }
  std::string StartJob(const std::string& model) {
    v1::CreateJobResponse response;
    const grpc::Status status = CreateJob(Request(model), response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.job().name();
  }
  std::string StartLongJob() {
    const std::string model = ReadyCheckpoint(LongCheckpoint());
    MakeDiskSlow();
    return StartJob(model);
  }

  // The job, on a slow disk, runs its n-th attempt, has written something and not everything.
  void WaitForMiddle(const std::string& job, int attempt = 1) {
    ASSERT_TRUE(Eventually(
        [&] {
          const v1::Job now = GetJob(job);
          return now.state() == v1::Job::RUNNING && now.attempt() == attempt &&
                 now.progress().bytes_done() > 0;
        },
        std::chrono::seconds(90)));
    const v1::Job now = GetJob(job);
    ASSERT_EQ(now.state(), v1::Job::RUNNING);
    ASSERT_LT(now.progress().bytes_done(), now.progress().bytes_total());
  }
  v1::Job WaitForEnd(const std::string& job) {
    EXPECT_TRUE(
        Eventually([&] { return GetJob(job).state() >= v1::Job::SUCCEEDED; }, std::chrono::seconds(120)));
    return GetJob(job);
  }

  void KillWorkers() {
    for (pid_t worker : server_.Workers()) ::kill(worker, SIGKILL);
  }

  // Regular files below a folder of the store.
  std::vector<std::filesystem::path> FilesIn(const std::string& folder) {
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator it(server_.folder() + "/" + folder, error), end;
         !error && it != end; it.increment(error)) {
      if (it->is_regular_file(error)) files.push_back(it->path());
    }
    return files;
  }

  std::string Fetch(const std::string& sha256, int64_t size) {
    grpc::ClientContext context;
    google::bytestream::ReadRequest request;
    request.set_resource_name("blobs/" + sha256 + "/" + std::to_string(size));
    auto stream = bytes_->Read(&context, request);
    std::string content;
    for (google::bytestream::ReadResponse response; stream->Read(&response);) content += response.data();
    EXPECT_TRUE(stream->Finish().ok());
    return content;
  }

  // Every file of the result can be fetched whole, and the store has no artifact beside them.
  void ExpectWhole(const v1::Job& job) {
    ASSERT_EQ(job.state(), v1::Job::SUCCEEDED) << job.error();
    ASSERT_EQ(job.results_size(), job.targets_size());
    std::set<std::string> digests;
    for (const v1::TargetResult& target : job.results()) {
      for (const v1::ArtifactFile& file : target.files()) {
        EXPECT_EQ(Sha256Hex(Fetch(file.sha256(), file.size())), file.sha256()) << file.path();
        digests.insert(file.sha256());
      }
    }
    // A file that is copied from the checkpoint is the checkpoint's blob.
    const v1::Model model = GetModel(job.model());
    for (const v1::ModelFile& file : model.files()) digests.erase(file.sha256());
    EXPECT_EQ(FilesIn("objects/artifacts").size(), digests.size());
    EXPECT_TRUE(FilesIn("temporary").empty());
  }

 private:
  static ServerOptions OnDiskThatCanBeSlow(ServerOptions options) {
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    options.environment.push_back("LD_PRELOAD=" + (here / "libslow_disk.so").string());
    return options;
  }
  std::string SlowSwitch() const { return server_.data_folder() + "/slow"; }
};

}  // namespace quantd
