// A catalogue to test, and short ways to the states that tests begin with.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "base/status.h"
#include "storage/catalogue/catalogue.h"
#include "tests/contract/test_database.h"

namespace quantd {

// A catalogue in a database of its own.
class CatalogueTestBase : public testing::Test {
 protected:
  explicit CatalogueTestBase(std::unique_ptr<TestDatabase> database) : database_(std::move(database)) {}

  void SetUp() override { Reopen(); }

  // One more catalogue in the same database, as another server has.
  absl::StatusOr<std::unique_ptr<Catalogue>> Open() {
    return Catalogue::Open(database_->address(), database_->clock(),
                           {.max_attempts = 2, .lease = absl::Seconds(10)});
  }

  // As after a restart.
  void Reopen() {
    catalogue_.reset();
    auto opened = Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    catalogue_ = *std::move(opened);
  }

  void Advance(absl::Duration by) { database_->Advance(by); }

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

  std::unique_ptr<TestDatabase> database_;
  std::unique_ptr<Catalogue> catalogue_;
};

struct DatabaseKind {
  const char* name;
  std::unique_ptr<TestDatabase> (*make)();
};

// What every database promises.
class CatalogueTest : public CatalogueTestBase, public testing::WithParamInterface<DatabaseKind> {
 protected:
  CatalogueTest() : CatalogueTestBase(GetParam().make()) {}
};

inline const DatabaseKind kDatabaseKinds[] = {{"Sqlite", MakeSqliteTestDatabase},
                                              {"Postgres", MakePostgresTestDatabase}};

inline std::string NameOf(const testing::TestParamInfo<DatabaseKind>& info) { return info.param.name; }

}  // namespace quantd
