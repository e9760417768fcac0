// A catalogue to test, and short ways to the states that tests begin with.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {

// Stands still until the test moves it.
class ManualClock : public Clock {
 public:
  absl::Time Now() override { return now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

// A catalogue in a folder of its own.
class CatalogueTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/catalogue_XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    Reopen();
  }
  void TearDown() override {
    catalogue_.reset();
    std::filesystem::remove_all(folder_);
  }

  // As after a restart.
  void Reopen() {
    catalogue_.reset();
    auto opened =
        Catalogue::Open(folder_ + "/catalogue.db", clock_, {.max_attempts = 2, .lease = absl::Seconds(10)});
    ASSERT_TRUE(opened.ok()) << opened.status();
    catalogue_ = *std::move(opened);
  }

  static BlobId Blob(char digit) { return {std::string(64, digit), 10}; }

  void Upload(const BlobId& blob) {
    auto upload = catalogue_->BeginUpload(blob);
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_TRUE(catalogue_->FinishUpload(upload->id, "blobs/" + blob.sha256).ok());
  }

  LeaseRecord Lease(TaskKind kind) {
    auto lease = catalogue_->LeaseTask({kind}, "worker");
    EXPECT_TRUE(lease.ok()) << lease.status();
    EXPECT_TRUE(lease->has_value());
    return lease->value_or(LeaseRecord{});
  }

  bool HasTask(TaskKind kind) {
    auto lease = catalogue_->LeaseTask({kind}, "worker");
    return lease.ok() && lease->has_value();
  }

  std::string ReadyModel() {
    Upload(Blob('a'));
    auto model = catalogue_->CreateModel("model", {{"config.json", Blob('a')}}, "");
    const LeaseRecord lease = Lease(TaskKind::kInspect);
    EXPECT_TRUE(catalogue_->CompleteInspect(lease.task.id, lease.token, "summary").ok());
    return model->id;
  }

  std::string QueuedJob() { return catalogue_->CreateJob(ReadyModel(), "targets", {{"team", "a"}}, "")->id; }

  std::vector<EventType> Events(const std::string& job) {
    std::vector<EventType> types;
    const auto events = catalogue_->ListEvents(job, 0, 100);
    for (const EventRecord& event : *events) {
      EXPECT_EQ(event.revision, static_cast<int64_t>(types.size()) + 1);
      types.push_back(event.type);
    }
    return types;
  }

  std::string folder_;
  ManualClock clock_;
  std::unique_ptr<Catalogue> catalogue_;
};

}  // namespace quantd
