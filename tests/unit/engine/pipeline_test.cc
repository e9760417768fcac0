#include "workers/engine/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>

#include "tests/support/memory_sink.h"
#include "tests/unit/engine/engine_test_model.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

// A file that counts the bytes that were read from it.
class CountingFile final : public RandomAccessFile {
 public:
  CountingFile(std::string bytes, std::atomic<int64_t>& read)
      : file_(MakeMemoryFile(std::move(bytes))), read_(read) {}
  uint64_t size() const override { return file_->size(); }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    read_ += static_cast<int64_t>(out.size());
    return file_->ReadAt(offset, out);
  }

 private:
  std::unique_ptr<RandomAccessFile> file_;
  std::atomic<int64_t>& read_;
};

// A sink whose files fail after some bytes.
class FailingSink final : public ArtifactSink {
 public:
  explicit FailingSink(size_t room) : room_(room) {}
  absl::StatusOr<std::unique_ptr<FileSink>> Create(const std::string& path) override {
    if (room_ == 0) return absl::ResourceExhaustedError("disk full");
    return std::make_unique<File>(*this, path);
  }

 private:
  class File final : public FileSink {
   public:
    File(FailingSink& owner, std::string path) : owner_(owner), path_(std::move(path)) {}
    absl::Status Append(std::span<const std::byte> bytes) override {
      if (bytes.size() > owner_.room_) return absl::ResourceExhaustedError("disk full: " + path_);
      owner_.room_ -= bytes.size();
      return absl::OkStatus();
    }
    absl::Status Close() override { return absl::OkStatus(); }

   private:
    FailingSink& owner_;
    std::string path_;
  };
  size_t room_;
};

class PipelineTest : public EngineTestModel {
 protected:
  std::unique_ptr<PlannedTarget> Plan(const std::string& format, const std::string& scheme) {
    auto planned = PlanTarget(model_, {format, scheme, {}});
    EXPECT_TRUE(planned.ok()) << planned.status();
    return *std::move(planned);
  }

  // Writes one target and gives the model's file.
  absl::StatusOr<std::string> Run(const std::string& format, const std::string& scheme, int threads) {
    const auto planned = Plan(format, scheme);
    MemorySink sink;
    std::vector<TargetRun> runs = {{planned.get(), &sink, {}, {}, 0.0}};
    PipelineOptions options;
    options.threads = threads;
    const absl::Status status = RunPipeline(model_, runs, options);
    if (!status.ok()) return status;
    return sink.files().begin()->second;
  }
};

TEST_F(PipelineTest, WritesTheSameBytesWithAnyNumberOfThreads) {
  files_ = SmallLlama({.layers = 3, .hidden = 256, .feed_forward = 512, .vocabulary = 60});
  Open();
  for (const auto& [format, scheme] :
       {std::pair("gguf", "Q4_K_M"), {"mlx", "int4"}, {"safetensors", "fp16"}}) {
    const auto one = Run(format, scheme, 1);
    ASSERT_TRUE(one.ok()) << one.status();
    for (int threads : {2, 7}) {
      const auto many = Run(format, scheme, threads);
      ASSERT_TRUE(many.ok()) << many.status();
      EXPECT_TRUE(*one == *many) << format << " with " << threads << " threads";
    }
  }
}

TEST_F(PipelineTest, CopiesPlainTensorsWhole) {
  Open();
  const auto written = Run("safetensors", "bf16", 2);
  ASSERT_TRUE(written.ok());
  const std::string& source = files_["model.safetensors"];
  const size_t data = source.size() - model_.tensors.front().source.offset;
  ASSERT_GE(written->size(), data);
  EXPECT_EQ(written->substr(written->size() - data), source.substr(source.size() - data));
}

// Tensors of several tiles, whose rows must join in order.
TEST_F(PipelineTest, CutsLargeTensorsIntoTiles) {
  files_ = SmallLlama({.layers = 1, .hidden = 256, .feed_forward = 5000, .vocabulary = 60});
  Open();
  const auto written = Run("safetensors", "bf16", 3);
  ASSERT_TRUE(written.ok());
  const std::string& source = files_["model.safetensors"];
  const size_t data = source.size() - model_.tensors.front().source.offset;
  EXPECT_TRUE(written->substr(written->size() - data) == source.substr(source.size() - data));
}

TEST_F(PipelineTest, ReadsEveryByteOnceForAllTargets) {
  Open();
  std::atomic<int64_t> read = 0;
  checkpoint_.Add("model.safetensors", std::make_unique<CountingFile>(files_["model.safetensors"], read));
  model_ = *OpenModel(checkpoint_, "test");
  const auto gguf = Plan("gguf", "Q8_0"), mlx = Plan("mlx", "int4"), plain = Plan("safetensors", "fp32");
  MemorySink sinks[3];
  std::vector<TargetRun> runs = {{gguf.get(), &sinks[0], {}, {}, 0.0},
                                 {mlx.get(), &sinks[1], {}, {}, 0.0},
                                 {plain.get(), &sinks[2], {}, {}, 0.0}};
  PipelineProgress last;
  PipelineOptions options;
  options.threads = 2;
  options.on_progress = [&](const PipelineProgress& progress) {
    EXPECT_GT(progress.bytes_done, last.bytes_done);
    EXPECT_GE(progress.tensors_done, last.tensors_done);
    last = progress;
    return true;
  };
  int64_t encoded = 0;
  options.on_encoded = [&](std::string_view device, const quant::Codec& codec, int64_t size) {
    EXPECT_EQ(device, "cpu");
    EXPECT_THAT(codec.name(), AnyOf("Q8_0", "F32", "BF16", "MLX_I4_G64_BF16"));
    encoded += size;
  };
  read = 0;
  ASSERT_TRUE(RunPipeline(model_, runs, options).ok());
  int64_t bytes = 0;
  for (const ModelTensor& tensor : model_.tensors) bytes += static_cast<int64_t>(tensor.source.bytes);
  EXPECT_EQ(read, bytes);
  EXPECT_EQ(last.bytes_done, bytes);
  EXPECT_EQ(last.bytes_total, bytes);
  EXPECT_EQ(last.tensors_done, 21);
  EXPECT_EQ(last.tensors_total, 21);
  EXPECT_EQ(encoded, gguf->plan.TensorBytes() + mlx->plan.TensorBytes() + plain->plan.TensorBytes());
  for (const TargetRun& run : runs) EXPECT_EQ(run.errors.size(), run.planned->plan.tensors.size());
}

// While the writer waits, the reader gets ahead by the tiles in flight: not by fewer, or the three would not
// overlap, and not by more.
TEST_F(PipelineTest, KeepsABoundedNumberOfTilesInFlight) {
  constexpr int kThreads = 2;
  constexpr int64_t kTileBytes = 2 * kTileWeights, kMostBytes = (2 * kThreads + 2) * kTileBytes;
  files_ = SmallLlama({.layers = 1, .hidden = 256, .feed_forward = 8 * 2048, .vocabulary = 60});
  Open();
  std::atomic<int64_t> read = 0;
  checkpoint_.Add("model.safetensors", std::make_unique<CountingFile>(files_["model.safetensors"], read));
  model_ = *OpenModel(checkpoint_, "test");
  const auto planned = Plan("safetensors", "fp16");
  MemorySink sink;
  std::vector<TargetRun> runs = {{planned.get(), &sink, {}, {}, 0.0}};
  PipelineOptions options;
  options.threads = kThreads;
  int64_t largest_lead = 0;
  bool waited = false;
  options.on_progress = [&](const PipelineProgress& progress) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const bool before_a_large_tensor = progress.tensors_done == 8 && !waited;
    do {
      largest_lead = std::max<int64_t>(largest_lead, read - progress.bytes_done);
    } while (before_a_large_tensor && largest_lead < kMostBytes &&
             std::chrono::steady_clock::now() < deadline);
    waited = waited || before_a_large_tensor;
    return true;
  };
  read = 0;
  ASSERT_TRUE(RunPipeline(model_, runs, options).ok());
  EXPECT_TRUE(waited);
  EXPECT_EQ(largest_lead, kMostBytes);
}

TEST_F(PipelineTest, NamesTheTensorAndIndexOfAWeightThatIsNotFinite) {
  const std::string tensor = "model.layers.1.mlp.up_proj.weight";
  for (uint16_t bits : {0x7fc0, 0x7f80, 0xff80, 0xffff}) {
    files_ = SmallLlama({});
    SetWeight(tensor, 1234, bits);
    Open();
    const absl::Status status = Run("gguf", "Q8_0", 2).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("model.safetensors"), HasSubstr(tensor),
                                                     HasSubstr("not finite"), HasSubstr("index 1234")));
  }
}

// Also in a later tile, and in a tensor that stays plain.
TEST_F(PipelineTest, CountsTheIndexOverTiles) {
  const SmallModel shape = {.layers = 1, .hidden = 256, .feed_forward = 5000, .vocabulary = 60};
  for (const auto& [tensor, index] :
       {std::pair("model.layers.0.mlp.up_proj.weight", 1'279'999), {"model.norm.weight", 255}}) {
    files_ = SmallLlama(shape);
    SetWeight(tensor, index, 0x7fc0);
    Open();
    EXPECT_THAT(std::string(Run("gguf", "Q8_0", 3).status().message()),
                AllOf(HasSubstr(tensor), HasSubstr("index " + std::to_string(index))));
  }
}

TEST_F(PipelineTest, StopsWhenItIsCancelled) {
  Open();
  const auto planned = Plan("gguf", "Q8_0");
  MemorySink sink;
  std::vector<TargetRun> runs = {{planned.get(), &sink, {}, {}, 0.0}};
  PipelineOptions options;
  int calls = 0;
  options.on_progress = [&](const PipelineProgress&) { return ++calls < 3; };
  EXPECT_EQ(RunPipeline(model_, runs, options).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(sink.files().empty());
}

TEST_F(PipelineTest, ReportsTheFirstErrorOfASink) {
  Open();
  for (size_t room : {0, 100, 10'000, 60'000}) {
    const auto planned = Plan("safetensors", "bf16");
    FailingSink sink(room);
    std::vector<TargetRun> runs = {{planned.get(), &sink, {}, {}, 0.0}};
    const absl::Status status = RunPipeline(model_, runs, {});
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << room;
    EXPECT_THAT(std::string(status.message()), HasSubstr("disk full"));
  }
}

TEST_F(PipelineTest, NamesATensorThatCannotBeRead) {
  Open();
  model_.tensors[5].source.offset = files_["model.safetensors"].size();
  const absl::Status status = Run("gguf", "Q8_0", 2).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("model.safetensors"), HasSubstr(model_.tensors[5].source.name)));
}

}  // namespace
}  // namespace quantd
