// What a catalogue in PostgreSQL promises beyond the contract: several servers at once, news from each other,
// a database that goes away, and databases that it refuses.
#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "storage/catalogue/migrations.h"
#include "storage/catalogue/postgres_connection.h"
#include "storage/catalogue/sqlite_database.h"
#include "tests/contract/catalogue_fixture.h"
#include "tests/support/postgres_server.h"

namespace quantd {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(30);

class PostgresCatalogueTest : public CatalogueTestBase {
 protected:
  PostgresCatalogueTest() : CatalogueTestBase(MakePostgresTestDatabase()) {}

  // Another server of the same database.
  std::unique_ptr<Catalogue> OpenAnother() {
    auto opened = Open();
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }

  // The text of the last statement's rows, beside the catalogue.
  std::vector<std::string> Sql(const std::string& sql) {
    auto connection = PostgresConnection::Connect(database_->address());
    EXPECT_TRUE(connection.ok()) << connection.status();
    const auto rows = (*connection)->Execute(sql);
    EXPECT_TRUE(rows.ok()) << rows.status();
    std::vector<std::string> texts;
    for (int row = 0; rows.ok() && row < rows->size(); ++row) texts.push_back(rows->Text(row, 0));
    return texts;
  }

  static void Together(int threads, const std::function<void(int)>& body) {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) running.emplace_back([&body, i] { body(i); });
  }
};

TEST_F(PostgresCatalogueTest, TwoServersLeaseEachTaskOnce) {
  const std::unique_ptr<Catalogue> other = OpenAnother();
  const std::string model = ReadyModel();
  constexpr int kJobs = 60, kThreads = 6;
  for (int i = 0; i < kJobs; ++i) ASSERT_TRUE(catalogue_->CreateJob(kTenant, {model, "t", {}, ""}).ok());
  std::array<std::vector<LeaseRecord>, kThreads> leased;
  Together(kThreads, [&](int i) {
    Catalogue& server = i % 2 == 0 ? *catalogue_ : *other;
    while (leased[static_cast<size_t>(i)].size() < kJobs) {
      const auto lease = server.LeaseTask({TaskKind::kQuantize}, absl::StrCat("worker ", i), kEngine);
      ASSERT_TRUE(lease.ok()) << lease.status();
      if (!lease->has_value()) return;
      leased[static_cast<size_t>(i)].push_back(**lease);
    }
  });
  std::set<std::string> jobs;
  std::set<int64_t> tokens;
  for (const auto& mine : leased) {
    for (const LeaseRecord& lease : mine) {
      EXPECT_TRUE(jobs.insert(lease.task.job_id).second);
      EXPECT_TRUE(tokens.insert(lease.token).second);
    }
  }
  EXPECT_EQ(jobs.size(), static_cast<size_t>(kJobs));
}

// Everything that touches one job, from all sides: each job ends once, its events have no gap, and no call
// fails because two transactions wait for each other (the database of this test leaves them waiting).
TEST_F(PostgresCatalogueTest, ServersWorkOnTheSameJobsWithoutDeadlock) {
  const std::unique_ptr<Catalogue> other = OpenAnother();
  const std::string model = ReadyModel();
  constexpr int kJobs = 30, kThreads = 6;
  std::vector<std::string> jobs;
  for (int i = 0; i < kJobs; ++i) jobs.push_back(catalogue_->CreateJob(kTenant, {model, "t", {}, ""})->id);
  std::atomic<int> open = kJobs;
  Together(kThreads, [&](int i) {
    Catalogue& server = i % 2 == 0 ? *catalogue_ : *other;
    for (int64_t step = 0; open > 0; ++step) {
      const std::string& job = jobs[static_cast<size_t>(step * 7 + i) % kJobs];
      if (step % 5 == 0) {
        const auto cancelled = server.CancelJob(kTenant, job);
        ASSERT_TRUE(cancelled.ok()) << cancelled.status();
        // Only when all jobs have ended.
        const absl::Status deleted = server.DeleteModel(kTenant, model).status();
        EXPECT_TRUE(deleted.ok() || absl::IsFailedPrecondition(deleted) || absl::IsNotFound(deleted))
            << deleted;
      }
      ASSERT_TRUE(server.ExpireLeases().ok());
      const auto lease = server.LeaseTask({TaskKind::kQuantize}, "worker", kEngine);
      ASSERT_TRUE(lease.ok()) << lease.status();
      if (lease->has_value()) {
        const auto& [task, token, attempt] = **lease;
        ASSERT_TRUE(server.Heartbeat(task.id, token, JobProgressRecord{"s", step, 0, 0, 0}).ok());
        const auto kept = step % 3 == 0 ? server.FailTask(task.id, token, absl::InternalError("i"))
                                        : server.CompleteJob(task.id, token, "", {{Blob('b'), "b"}}).status();
        ASSERT_TRUE(kept.ok()) << kept;
      }
      int left = 0;
      for (const std::string& each : jobs) left += IsEnded(server.GetJob(kTenant, each)->state) ? 0 : 1;
      open = left;
    }
  });
  for (const std::string& job : jobs) {
    const std::vector<EventType> events = Events(job);
    EXPECT_EQ(std::count_if(events.begin(), events.end(),
                            [](EventType type) { return type >= EventType::kSucceeded; }),
              1);
  }
}

TEST_F(PostgresCatalogueTest, BlobsThatAreCompletedAtOnceInspectTheirModelOnce) {
  const std::unique_ptr<Catalogue> other = OpenAnother();
  for (int round = 0; round < 20; ++round) {
    std::array<BlobId, 2> blobs;
    for (size_t i = 0; i < 2; ++i) blobs[i] = {absl::StrCat(round, "-", i), 10};
    auto model = catalogue_->CreateModel(kTenant, "m", {{"a", blobs[0]}, {"b", blobs[1]}}, "");
    std::array<std::string, 2> uploads;
    for (size_t i = 0; i < 2; ++i) uploads[i] = catalogue_->BeginUpload(kTenant, blobs[i])->id;
    Together(2, [&](int i) {
      Catalogue& server = i == 0 ? *catalogue_ : *other;
      const absl::Status status = server.FinishUpload(kTenant, uploads[static_cast<size_t>(i)], "key");
      ASSERT_TRUE(status.ok()) << status;
    });
    EXPECT_EQ(catalogue_->GetModel(kTenant, model->id)->state, ModelState::kInspecting);
    EXPECT_EQ(Lease(TaskKind::kInspect).task.model_id, model->id);
    EXPECT_FALSE(HasTask(TaskKind::kInspect));
  }
}

TEST_F(PostgresCatalogueTest, OneRequestIdSentToAllServersAtOnceMakesOneJob) {
  const std::unique_ptr<Catalogue> other = OpenAnother();
  const std::string model = ReadyModel();
  std::array<std::string, 4> ids;
  Together(4, [&](int i) {
    Catalogue& server = i % 2 == 0 ? *catalogue_ : *other;
    const auto job = server.CreateJob(kTenant, {model, "t", {}, "request"});
    ASSERT_TRUE(job.ok()) << job.status();
    ids[static_cast<size_t>(i)] = job->id;
  });
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1u);
}

TEST_F(PostgresCatalogueTest, ServersThatStartAtOnceMakeTheTablesOnce) {
  const std::unique_ptr<TestDatabase> fresh = MakePostgresTestDatabase();
  Together(4, [&](int /*i*/) {
    const auto opened = Catalogue::Open(fresh->address(), fresh->clock(), {});
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_TRUE((*opened)->CreateModel(kTenant, "m", {{"a", Blob('a')}}, "").ok());
  });
}

TEST_F(PostgresCatalogueTest, HasTheTablesOfSqlite) {
  const std::unique_ptr<TestDatabase> file = MakeSqliteTestDatabase();
  const auto sqlite =
      SqliteDatabase::Open(file->address().substr(std::string("sqlite:").size()), file->clock());
  ASSERT_TRUE(sqlite.ok()) << sqlite.status();
  const std::unique_ptr<Transaction> read = *(*sqlite)->BeginRead();
  // A column is a number or a text, and SQLite does not say that a primary key is not null.
  const auto expected =
      read->Prepare(
              "SELECT t.name || ' ' || c.cid || ' ' || c.name || CASE c.type WHEN 'INTEGER' THEN ' number'"
              " ELSE ' text' END || CASE WHEN c.\"notnull\" OR c.pk>0 THEN '' ELSE ' null' END"
              " FROM sqlite_master t, pragma_table_info(t.name) c"
              " WHERE t.type='table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid")
          ->Texts();
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ(Sql("SELECT table_name || ' ' || (ordinal_position-1) || ' ' || column_name ||"
                " CASE data_type WHEN 'bigint' THEN ' number' ELSE ' text' END ||"
                " CASE is_nullable WHEN 'NO' THEN '' ELSE ' null' END FROM information_schema.columns"
                " WHERE table_schema=current_schema() AND table_name NOT IN ('schema_version', 'test_clock')"
                " ORDER BY table_name COLLATE \"C\", ordinal_position"),
            *expected);
}

TEST_F(PostgresCatalogueTest, RecordsOfAnEarlierProgramBelongToTheDefaultTenant) {
  catalogue_.reset();
  database_ = MakePostgresTestDatabase();
  const auto migrations = PostgresMigrationsAfter(0);
  ASSERT_EQ(migrations->front().version, 2);
  Sql(absl::StrCat(migrations->front().sql, kRecordsOfVersion2,
                   "CREATE TABLE schema_version AS SELECT 2::bigint AS version"));
  Reopen();
  ExpectRecordsOfVersion2();
}

TEST_F(PostgresCatalogueTest, RefusesTheDatabaseOfANewerProgram) {
  Sql("UPDATE schema_version SET version=1000");
  const absl::Status refused = Open().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "1000")) << refused;
}

TEST_F(PostgresCatalogueTest, AMigrationThatFailsLeavesNothing) {
  catalogue_.reset();
  database_ = MakePostgresTestDatabase();
  Sql("CREATE TABLE tasks (of_another_program TEXT)");
  const absl::Status refused = Open().status();
  EXPECT_TRUE(absl::StrContains(refused.message(), "tables of version 2")) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "\"tasks\" already exists")) << refused;
  Sql("DROP TABLE tasks");
  EXPECT_EQ(Open().status(), absl::OkStatus());
}

TEST_F(PostgresCatalogueTest, AServerHearsAtOnceWhatAnotherDid) {
  const std::unique_ptr<Catalogue> other = OpenAnother();
  absl::Notification listens, queued, changed, planned;
  std::string changed_job, finished_plan;
  std::atomic<int> own_events = 0;
  const auto once = [](absl::Notification& event) {
    if (!event.HasBeenNotified()) event.Notify();
  };
  other->SetListener({.on_job_event = [&](const JobNews& /*news*/) { ++own_events; },
                      .on_job_changed =
                          [&](const std::string& job) {
                            changed_job = job;
                            once(changed);
                          },
                      .on_task_queued = [&] { once(queued); },
                      .on_plan_finished =
                          [&](const std::string& plan) {
                            finished_plan = plan;
                            once(planned);
                          },
                      .on_missed = [&] { once(listens); }});
  ASSERT_TRUE(listens.WaitForNotificationWithTimeout(kDeadline));
  const std::string model = ReadyModel();
  ASSERT_TRUE(queued.WaitForNotificationWithTimeout(kDeadline)) << "of the inspection";
  const std::string plan = *catalogue_->QueuePlan(kTenant, model, "targets");
  const LeaseRecord lease = Lease(TaskKind::kPlan);
  ASSERT_TRUE(catalogue_->CompletePlan(lease.task.id, lease.token, "sizes").ok());
  ASSERT_TRUE(planned.WaitForNotificationWithTimeout(kDeadline));
  const absl::Time begin = absl::Now();
  const std::string job = catalogue_->CreateJob(kTenant, {model, "t", {}, ""})->id;
  ASSERT_TRUE(changed.WaitForNotificationWithTimeout(kDeadline));
  RecordProperty("notify_microseconds", static_cast<int>(absl::ToInt64Microseconds(absl::Now() - begin)));
  other->StopListening();  // more news of them may come until then
  EXPECT_EQ(finished_plan, plan);
  EXPECT_EQ(changed_job, job);
  EXPECT_EQ(own_events, 0) << "counted where it happened";
}

TEST_F(PostgresCatalogueTest, GoesOnAfterTheServerRestarted) {
  PostgresServer& server = PostgresServer::Shared();
  const std::unique_ptr<Catalogue> other = OpenAnother();
  std::array<absl::Notification, 2> connected;
  absl::Notification queued;
  std::atomic<size_t> connections = 0;
  other->SetListener({.on_job_event = {},
                      .on_job_changed = {},
                      .on_task_queued =
                          [&] {
                            if (connected[1].HasBeenNotified() && !queued.HasBeenNotified()) queued.Notify();
                          },
                      .on_plan_finished = {},
                      .on_missed =
                          [&] {
                            if (connections < connected.size()) connected[connections++].Notify();
                          }});
  ASSERT_TRUE(connected[0].WaitForNotificationWithTimeout(kDeadline));
  const std::string job = QueuedJob();
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  server.Stop();
  const absl::Status away = catalogue_->GetJob(kTenant, job).status();
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
  EXPECT_TRUE(absl::IsUnavailable(catalogue_->CreateJob(kTenant, {"m", "t", {}, ""}).status()));
  server.Start();
  EXPECT_TRUE(catalogue_->Heartbeat(lease.task.id, lease.token, JobProgressRecord{"s", 1, 1, 1, 1}).ok());
  ASSERT_TRUE(connected[1].WaitForNotificationWithTimeout(kDeadline));
  EXPECT_TRUE(catalogue_->CreateJob(kTenant, {catalogue_->GetJob(kTenant, job)->model_id, "t", {}, ""}).ok());
  EXPECT_TRUE(queued.WaitForNotificationWithTimeout(kDeadline));
}

TEST_F(PostgresCatalogueTest, AConnectionThatTheServerEndedIsNoError) {
  const std::string job = QueuedJob();
  for (int i = 0; i < 3; ++i) {
    Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
        " AND backend_type='client backend'");
    EXPECT_TRUE(catalogue_->GetJob(kTenant, job).ok());
    EXPECT_TRUE(
        catalogue_->CreateJob(kTenant, {catalogue_->GetJob(kTenant, job)->model_id, "t", {}, ""}).ok());
  }
}

// The error of a full disk, from a trigger.
TEST_F(PostgresCatalogueTest, AFullDiskIsResourceExhaustedAndLeavesNothing) {
  const std::string model = ReadyModel();
  Sql("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
      " $$BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE='disk_full'; END$$;"
      "CREATE TRIGGER full_disk BEFORE INSERT ON job_events EXECUTE FUNCTION full_disk()");
  const absl::Status full = catalogue_->CreateJob(kTenant, {model, "t", {}, ""}).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_TRUE(catalogue_->ListJobs(kTenant, {}, 10, "")->records.empty());
  Sql("DROP TRIGGER full_disk ON job_events");
  EXPECT_TRUE(catalogue_->CreateJob(kTenant, {model, "t", {}, ""}).ok());
}

TEST_F(PostgresCatalogueTest, ATextThatTheDatabaseCannotKeepIsRefused) {
  const absl::Status refused =
      catalogue_->CreateModel(kTenant, std::string("a\0b", 3), {{"a", Blob('a')}}, "").status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
}

TEST_F(PostgresCatalogueTest, AWorkersErrorMayQuoteAnything) {
  const std::string job = QueuedJob();
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  const absl::Status error = absl::InvalidArgumentError(std::string("tensor a\0b", 10));
  ASSERT_TRUE(catalogue_->FailTask(lease.task.id, lease.token, error).ok());
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->error, "tensor a\\0b");
}

TEST_F(PostgresCatalogueTest, SaysWhyItCannotConnect) {
  struct Case {
    std::string address;
    const char* message;
  };
  Sql("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'secret'");
  const Case cases[] = {
      {PostgresServer::Shared().GuestAddress(), "no password supplied"},
      {PostgresServer::Shared().GuestAddress() + "&password=wrong", "password authentication failed"},
      {"postgresql://nobody@127.0.0.1:1/quantd", "Connection refused"},
      {"postgresql://nobody@/quantd?host=/nowhere", "No such file or directory"},
      {"postgresql://u:secret@h/d?unknown=1", "invalid URI query parameter"},
      {PostgresServer::Shared().Address() + "&dbname=missing", "database \"missing\" does not exist"},
      {"mysql://u:secret@h/d", "neither of the form sqlite:PATH"},
  };
  for (const Case& each : cases) {
    const absl::Status refused = Catalogue::Open(each.address, database_->clock(), {}).status();
    EXPECT_FALSE(refused.ok()) << each.address;
    EXPECT_TRUE(absl::StrContains(refused.message(), each.message)) << refused;
    EXPECT_FALSE(absl::StrContains(refused.message(), "secret")) << refused;
  }
}

}  // namespace
}  // namespace quantd
