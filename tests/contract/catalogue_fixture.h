// A catalogue to test, and short ways to the states that tests begin with.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "base/status.h"
#include "storage/catalogue/catalogue.h"
#include "tests/contract/test_database.h"

namespace quantd {

inline constexpr char kTenant[] = "team-a";
inline constexpr char kEngine[] = "1";  // the workers' version

// A catalogue in a database of its own.
class CatalogueTestBase : public testing::Test {
 protected:
  explicit CatalogueTestBase(std::unique_ptr<TestDatabase> database) : database_(std::move(database)) {}

  void SetUp() override { Reopen(); }

  // One more catalogue in the same database, as another server has.
  absl::StatusOr<std::unique_ptr<Catalogue>> Open() {
    return Catalogue::Open(
        database_->address(), database_->clock(),
        {.max_attempts = 2, .lease = absl::Seconds(10), .limits_of = [this](const std::string& tenant) {
           const auto found = limits_.find(tenant);
           return found == limits_.end() ? TenantLimits{} : found->second;
         }});
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
    auto upload = catalogue_->BeginUpload(kTenant, blob);
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_TRUE(catalogue_->FinishUpload(kTenant, upload->id, "blobs/" + blob.sha256).ok());
  }

  LeaseRecord Lease(TaskKind kind) {
    auto lease = catalogue_->LeaseTask({kind}, "worker", kEngine);
    EXPECT_TRUE(lease.ok()) << lease.status();
    EXPECT_TRUE(lease->has_value());
    return lease->value_or(LeaseRecord{});
  }

  bool HasTask(TaskKind kind) {
    auto lease = catalogue_->LeaseTask({kind}, "worker", kEngine);
    return lease.ok() && lease->has_value();
  }

  std::string ReadyModel() {
    Upload(Blob('a'));
    auto model = catalogue_->CreateModel(kTenant, "model", {{"config.json", Blob('a')}}, "");
    const LeaseRecord lease = Lease(TaskKind::kInspect);
    EXPECT_TRUE(catalogue_->CompleteInspect(lease.task.id, lease.token, "summary").ok());
    return model->id;
  }

  std::string QueuedJob() {
    return catalogue_->CreateJob(kTenant, {ReadyModel(), "targets", {{"team", "a"}}, ""})->id;
  }

  std::vector<EventType> Events(const std::string& job) {
    std::vector<EventType> types;
    const auto events = catalogue_->ListEvents(kTenant, job, 0, 100);
    for (const EventRecord& event : *events) {
      EXPECT_EQ(event.revision, static_cast<int64_t>(types.size()) + 1);
      types.push_back(event.type);
    }
    return types;
  }

  // Rows for tables of version 2: a model that is ready, with a queued job and an upload of its second file.
  static constexpr char kRecordsOfVersion2[] =
      "INSERT INTO blobs VALUES ('a', 1, 'blobs/a');"
      "INSERT INTO uploads VALUES ('upload', 'b', 2);"
      "INSERT INTO models(id, display_name, state, create_time, request_id) VALUES ('model', 'm', 3, 5, 'r');"
      "INSERT INTO model_files VALUES ('model', 0, 'a', 'a', 1), ('model', 1, 'b', 'b', 2);"
      "INSERT INTO jobs(id, model_id, targets, state, create_time, revision)"
      " VALUES ('job', 'model', 't', 1, 6, 1);"
      "INSERT INTO job_events VALUES ('job', 1, 6, 1, 0, 1, '', '', 0, 0, 0, 0);"
      "INSERT INTO tasks(id, kind, model_id, job_id) VALUES ('task', 3, 'model', 'job');";
  void ExpectRecordsOfVersion2() {
    EXPECT_EQ(*catalogue_->FindBlob(kDefaultTenant, {"a", 1}), "blobs/a");
    EXPECT_EQ(catalogue_->GetUpload(kDefaultTenant, "upload")->path, "b");
    EXPECT_EQ(catalogue_->GetModel(kDefaultTenant, "model")->files.size(), 2u);
    EXPECT_EQ(catalogue_->CreateModel(kDefaultTenant, "m", {{"a", {"a", 1}}, {"b", {"b", 2}}}, "r")->id,
              "model");
    EXPECT_EQ(catalogue_->ListEvents(kDefaultTenant, "job", 0, 9)->size(), 1u);
    EXPECT_EQ(Lease(TaskKind::kQuantize).task.job_id, "job");
    EXPECT_EQ(catalogue_->GetJob(kDefaultTenant, "job")->state, JobState::kRunning);
    EXPECT_TRUE(catalogue_->DeleteModel(kDefaultTenant, "model").status().code() ==
                absl::StatusCode::kFailedPrecondition);
  }

  std::map<std::string, TenantLimits> limits_;  // set while no other thread calls
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
