// What the catalogue keeps through crashes, full disks and newer programs.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "storage/catalogue/database.h"
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

TEST_F(CatalogueTest, AProcessKilledWithinATransactionLeavesNothingOfIt) {
  const std::string model = ReadyModel();
  catalogue_.reset();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    KillingClock clock;
    auto catalogue = Catalogue::Open(folder_ + "/catalogue.db", clock, {});
    const bool committed = catalogue.ok() && (*catalogue)->CreateJob(model, "t", {}, "committed").ok();
    // The second reading comes when the job's row is written and its event is not.
    clock.KillAtReading(2);
    if (committed) static_cast<void>((*catalogue)->CreateJob(model, "t", {}, "lost"));
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Reopen();
  EXPECT_EQ(catalogue_->GetModel(model)->state, ModelState::kReady);
  auto jobs = catalogue_->ListJobs({}, 10, "");
  ASSERT_EQ(jobs->records.size(), 1u);
  EXPECT_EQ(Events(jobs->records[0].id), (std::vector<EventType>{EventType::kCreated}));
  EXPECT_EQ(Lease(TaskKind::kQuantize).task.job_id, jobs->records[0].id);
  EXPECT_FALSE(HasTask(TaskKind::kQuantize));
}

// RLIMIT_FSIZE stands in for a broken disk.
TEST_F(CatalogueTest, GoesOnAfterAWriteThatFailed) {
  const std::string model = ReadyModel();
  int told = 0;
  catalogue_->SetListener({.on_job_event = [&](const JobNews& /*news*/) { ++told; },
                           .on_task_queued = [&] { ++told; },
                           .on_plan_finished = {}});
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  // Larger than what SQLite keeps in memory until the commit, too.
  const absl::Status small = catalogue_->CreateJob(model, "t", {}, "").status();
  const absl::Status large = catalogue_->CreateJob(model, std::string(8 << 20, 't'), {}, "").status();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_FALSE(small.ok());
  EXPECT_FALSE(large.ok());
  EXPECT_EQ(large.message().find("no transaction is active"), large.message().npos) << large;
  EXPECT_TRUE(catalogue_->ListJobs({}, 10, "")->records.empty());
  EXPECT_EQ(told, 0);
  EXPECT_TRUE(catalogue_->CreateJob(model, "t", {}, "").ok());
  EXPECT_EQ(told, 2);
}

TEST_F(CatalogueTest, AFullDiskIsResourceExhausted) {
  auto database = Database::Open(folder_ + "/full.db");
  ASSERT_TRUE(database.ok()) << database.status();
  ASSERT_TRUE((*database)->Execute("CREATE TABLE t (bytes TEXT); PRAGMA max_page_count=4;").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(
      (*database)->Prepare("INSERT INTO t VALUES (?)").BindAll(std::string(1 << 20, 'x')).Run()));
}

TEST_F(CatalogueTest, RefusesTheDatabaseOfANewerProgram) {
  catalogue_.reset();
  {
    auto database = Database::Open(folder_ + "/catalogue.db");
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version=1000").ok());
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(Catalogue::Open(folder_ + "/catalogue.db", clock_, {}).status()));
}

TEST_F(CatalogueTest, ManyThreadsLeaseEachTaskOnce) {
  const std::string model = ReadyModel();
  constexpr int kJobs = 40, kThreads = 4;
  for (int i = 0; i < kJobs; ++i) ASSERT_TRUE(catalogue_->CreateJob(model, "t", {}, "").ok());
  std::vector<std::vector<LeaseRecord>> leased(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : leased) {
    threads.emplace_back([&] {
      for (;;) {
        auto lease = catalogue_->LeaseTask({TaskKind::kQuantize}, "worker");
        if (!lease.ok() || !lease->has_value()) return;
        mine.push_back(**lease);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> jobs;
  std::set<int64_t> tokens;
  for (const auto& mine : leased) {
    for (const LeaseRecord& lease : mine) {
      jobs.insert(lease.task.job_id);
      tokens.insert(lease.token);
    }
  }
  EXPECT_EQ(jobs.size(), static_cast<size_t>(kJobs));
  EXPECT_EQ(tokens.size(), static_cast<size_t>(kJobs));
}

}  // namespace
}  // namespace quantd
