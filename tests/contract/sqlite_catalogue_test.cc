// What a catalogue in a file keeps through crashes, full disks and newer programs.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "storage/catalogue/migrations.h"
#include "storage/catalogue/sqlite_database.h"
#include "tests/contract/catalogue_fixture.h"

namespace quantd {
namespace {

// Kills its process at a given reading: the catalogue reads it within its transactions.
class KillingClock : public Clock {
 public:
  absl::Time Now() override {
    if (--readings_left_ == 0) ::raise(SIGKILL);
    return absl::FromUnixSeconds(1'700'000'000);
  }
  void KillAtReading(int reading) { readings_left_ = reading; }

 private:
  int readings_left_ = 0;
};

class SqliteCatalogueTest : public CatalogueTestBase {
 protected:
  SqliteCatalogueTest() : CatalogueTestBase(MakeSqliteTestDatabase()) {}

  // The file, without the catalogue.
  std::unique_ptr<SqliteDatabase> OpenFile() {
    auto database = SqliteDatabase::Open(database_->address().substr(strlen("sqlite:")), database_->clock());
    EXPECT_TRUE(database.ok()) << database.status();
    return *std::move(database);
  }
};

TEST_F(SqliteCatalogueTest, AProcessKilledWithinATransactionLeavesNothingOfIt) {
  const std::string model = ReadyModel();
  catalogue_.reset();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    KillingClock clock;
    auto catalogue = Catalogue::Open(database_->address(), clock, {});
    const bool committed =
        catalogue.ok() && (*catalogue)->CreateJob(kTenant, {model, "t", {}, "committed"}).ok();
    // The second reading comes when the job's row is written and its event is not.
    clock.KillAtReading(2);
    if (committed) static_cast<void>((*catalogue)->CreateJob(kTenant, {model, "t", {}, "lost"}));
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Reopen();
  EXPECT_EQ(catalogue_->GetModel(kTenant, model)->state, ModelState::kReady);
  auto jobs = catalogue_->ListJobs(kTenant, {}, 10, "");
  ASSERT_EQ(jobs->records.size(), 1u);
  EXPECT_EQ(Events(jobs->records[0].id), (std::vector<EventType>{EventType::kCreated}));
  EXPECT_EQ(Lease(TaskKind::kQuantize).task.job_id, jobs->records[0].id);
  EXPECT_FALSE(HasTask(TaskKind::kQuantize));
}

// RLIMIT_FSIZE stands in for a broken disk.
TEST_F(SqliteCatalogueTest, GoesOnAfterAWriteThatFailed) {
  const std::string model = ReadyModel();
  int told = 0;
  catalogue_->SetListener({.on_job_event = [&](const JobNews& /*news*/) { ++told; },
                           .on_job_changed = {},
                           .on_task_queued = [&] { ++told; },
                           .on_plan_finished = {},
                           .on_missed = {}});
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  // Larger than what SQLite keeps in memory until the commit, too.
  const absl::Status small = catalogue_->CreateJob(kTenant, {model, "t", {}, ""}).status();
  const absl::Status large =
      catalogue_->CreateJob(kTenant, {model, std::string(8 << 20, 't'), {}, ""}).status();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_FALSE(small.ok());
  EXPECT_FALSE(large.ok());
  EXPECT_EQ(large.message().find("no transaction is active"), large.message().npos) << large;
  EXPECT_TRUE(catalogue_->ListJobs(kTenant, {}, 10, "")->records.empty());
  EXPECT_EQ(told, 0);
  EXPECT_TRUE(catalogue_->CreateJob(kTenant, {model, "t", {}, ""}).ok());
  EXPECT_EQ(told, 2);
}

TEST_F(SqliteCatalogueTest, AFullDiskIsResourceExhausted) {
  catalogue_.reset();
  const std::unique_ptr<SqliteDatabase> file = OpenFile();
  const std::unique_ptr<Transaction> setting = *file->Begin();
  auto pages = setting->Prepare("PRAGMA page_count");
  ASSERT_TRUE(*pages->Step());
  ASSERT_TRUE(setting->Prepare("PRAGMA max_page_count=" + std::to_string(pages->Integer(0)))->Texts().ok());
  const absl::Status full =
      setting->Prepare("INSERT INTO uploads(id, sha256, size, tenant) VALUES (?,'',0,'')")
          ->BindAll(std::string(1 << 20, 'x'))
          .Run();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
}

TEST_F(SqliteCatalogueTest, RecordsOfAnEarlierProgramBelongToTheDefaultTenant) {
  catalogue_.reset();
  database_ = MakeSqliteTestDatabase();
  sqlite3* file = nullptr;
  ASSERT_EQ(sqlite3_open(database_->address().substr(strlen("sqlite:")).c_str(), &file), SQLITE_OK);
  std::string sql;
  const auto migrations = SqliteMigrationsAfter(0);
  for (const Migration& migration : *migrations) {
    if (migration.version <= 2) sql += migration.sql;
  }
  sql += kRecordsOfVersion2;
  ASSERT_EQ(sqlite3_exec(file, (sql + "PRAGMA user_version=2").c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(file);
  sqlite3_close(file);
  Reopen();
  ExpectRecordsOfVersion2();
}

TEST_F(SqliteCatalogueTest, RefusesTheDatabaseOfANewerProgram) {
  catalogue_.reset();
  ASSERT_TRUE(OpenFile()->Execute("PRAGMA user_version=1000").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Open().status()));
}

}  // namespace
}  // namespace quantd
