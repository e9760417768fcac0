// What is read back must be what was written: every kind of difference is named.
#include "workers/engine/verification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/objects/memory_store.h"
#include "tests/unit/engine/engine_test_model.h"
#include "workers/engine/pipeline.h"

namespace quantd {
namespace {

using testing::HasSubstr;

class VerificationTest : public EngineTestModel, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    auto planned = PlanTarget(Open(), {GetParam(), GetParam() == std::string("gguf") ? "Q4_0" : "int4", {}});
    ASSERT_TRUE(planned.ok()) << planned.status();
    planned_ = *std::move(planned);
    TargetRun run{planned_.get(), &artifact_, {}, {}, 0.0};
    ASSERT_TRUE(RunPipeline(model_, {&run, 1}, {}).ok());
    digests_ = run.digests;
    key_ = artifact_.files()[0].object_key;
    bytes_ = *ReadAll(**objects_->OpenForRead(key_), 1 << 24);
  }

  absl::Status VerifyWith(const std::string& bytes) {
    auto writer = objects_->Create(key_);
    EXPECT_TRUE((*writer)->Append(std::as_bytes(std::span(bytes))).ok());
    EXPECT_TRUE((*writer)->Commit().ok());
    return VerifyTarget(*planned_, digests_, artifact_, [] { return absl::OkStatus(); });
  }

  std::unique_ptr<ObjectStore> objects_ = OpenMemoryStore();
  ArtifactStore artifact_{*objects_, "a"};
  std::unique_ptr<PlannedTarget> planned_;
  PlaneDigests digests_;
  std::string key_;
  std::string bytes_;
};

TEST_P(VerificationTest, AcceptsWhatWasWritten) { EXPECT_TRUE(VerifyWith(bytes_).ok()); }

TEST_P(VerificationTest, EveryPlaneHasADigest) {
  ASSERT_EQ(digests_.size(), planned_->plan.tensors.size());
  for (size_t i = 0; i < digests_.size(); ++i)
    EXPECT_EQ(digests_[i].size(), planned_->plan.tensors[i].codec->planes().size());
}

TEST_P(VerificationTest, RefusesAFlippedBitAnywhere) {
  for (size_t at : {size_t{0}, size_t{40}, bytes_.size() / 2, bytes_.size() - 1}) {
    std::string broken = bytes_;
    broken[at] = static_cast<char>(broken[at] ^ 1);
    EXPECT_EQ(VerifyWith(broken).code(), absl::StatusCode::kDataLoss) << at;
  }
}

TEST_P(VerificationTest, RefusesAnotherSize) {
  EXPECT_EQ(VerifyWith(bytes_.substr(0, bytes_.size() - 1)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(VerifyWith(bytes_ + "x").code(), absl::StatusCode::kDataLoss);
}

TEST_P(VerificationTest, RefusesATensorThatIsNotWhatTheWriterGot) {
  digests_[1][0] = std::string(64, '0');
  const absl::Status status = VerifyWith(bytes_);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(planned_->writer->Describe(1, 0).name));
}

TEST_P(VerificationTest, RefusesATensorTooMany) {
  digests_.pop_back();
  EXPECT_EQ(VerifyWith(bytes_).code(), absl::StatusCode::kDataLoss);
}

TEST_P(VerificationTest, RefusesAMissingFile) {
  ASSERT_TRUE(objects_->Remove(key_).ok());
  EXPECT_FALSE(VerifyTarget(*planned_, digests_, artifact_, [] { return absl::OkStatus(); }).ok());
}

TEST_P(VerificationTest, EndsWhenItIsToldTo) {
  EXPECT_TRUE(absl::IsCancelled(
      VerifyTarget(*planned_, digests_, artifact_, [] { return absl::CancelledError("enough"); })));
}

INSTANTIATE_TEST_SUITE_P(Formats, VerificationTest, testing::Values("gguf", "mlx", "openvino"));

}  // namespace
}  // namespace quantd
