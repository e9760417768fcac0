// Who is next: tenants in fair turns by their weights, then priority, then age; no more than may run.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/contract/catalogue_fixture.h"

namespace quantd {
namespace {

class QueueTest : public CatalogueTest {
 protected:
  std::string ReadyModelOf(const std::string& tenant) {
    const auto upload = catalogue_->BeginUpload(tenant, Blob('a'));
    EXPECT_TRUE(catalogue_->FinishUpload(tenant, upload->id, absl::StrCat("blobs/", tenant)).ok());
    const auto model = catalogue_->CreateModel(tenant, "m", {{"a", Blob('a')}}, "");
    const LeaseRecord lease = Lease(TaskKind::kInspect);
    EXPECT_TRUE(catalogue_->CompleteInspect(lease.task.id, lease.token, "").ok());
    return model->id;
  }
  void Queue(const std::string& tenant, const std::string& model, int jobs) {
    for (int i = 0; i < jobs; ++i) ASSERT_TRUE(catalogue_->CreateJob(tenant, {model, "t"}).ok());
  }
  // Whose job each of so many leases is; each job ends before the next lease.
  std::string Turns(int leases) {
    std::vector<std::string> tenants;
    for (int i = 0; i < leases; ++i) {
      const LeaseRecord lease = Lease(TaskKind::kQuantize);
      tenants.push_back(lease.task.tenant);
      EXPECT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, "", {}).ok());
    }
    return absl::StrJoin(tenants, " ");
  }
};

TEST_P(QueueTest, ALongQueueDelaysAnothersFirstJobByNoJob) {
  const std::string many = ReadyModelOf("many"), few = ReadyModelOf("few");
  Queue("many", many, 20);
  EXPECT_EQ(Turns(3), "many many many");
  Queue("few", few, 1);
  EXPECT_EQ(Turns(2), "few many");
  // Again after it was idle, which gives it no more than that.
  Queue("few", few, 1);
  EXPECT_EQ(Turns(2), "few many");
}

TEST_P(QueueTest, EqualTenantsTakeTurns) {
  const std::string a = ReadyModelOf("a"), b = ReadyModelOf("b");
  Queue("a", a, 3);
  Queue("b", b, 3);
  EXPECT_EQ(Turns(6), "a b a b a b");
}

TEST_P(QueueTest, TurnsFollowWeights) {
  limits_["heavy"].weight = 3;
  const std::string heavy = ReadyModelOf("heavy"), light = ReadyModelOf("light");
  Queue("heavy", heavy, 9);
  Queue("light", light, 9);
  EXPECT_EQ(Turns(8), "heavy light heavy heavy heavy light heavy heavy");
}

TEST_P(QueueTest, PriorityComesBeforeAgeWithinATenantAlone) {
  const std::string a = ReadyModelOf("a"), b = ReadyModelOf("b");
  NewJob job{a, "t"};
  const std::string old = catalogue_->CreateJob("a", job)->id;
  job.priority = 10;
  const std::string urgent = catalogue_->CreateJob("a", job)->id;
  job.priority = -10;
  const std::string idle = catalogue_->CreateJob("a", job)->id;
  Queue("b", b, 1);
  std::vector<std::string> jobs;
  for (int i = 0; i < 4; ++i) {
    const LeaseRecord lease = Lease(TaskKind::kQuantize);
    if (lease.task.tenant == "a") jobs.push_back(lease.task.job_id);
    EXPECT_EQ(jobs.size(), i == 0 ? 1u : static_cast<size_t>(i)) << "b has the second turn";
  }
  EXPECT_EQ(jobs, (std::vector<std::string>{urgent, old, idle}));
  EXPECT_EQ(catalogue_->GetJob("a", urgent)->priority, 10);
}

TEST_P(QueueTest, ATenantRunsNoMoreThanItMay) {
  limits_["a"].running_jobs = 2;
  const std::string a = ReadyModelOf("a"), b = ReadyModelOf("b");
  Queue("a", a, 4);
  const LeaseRecord first = Lease(TaskKind::kQuantize);
  Lease(TaskKind::kQuantize);
  EXPECT_FALSE(HasTask(TaskKind::kQuantize));
  Queue("b", b, 1);
  EXPECT_EQ(Lease(TaskKind::kQuantize).task.tenant, "b");
  ASSERT_TRUE(catalogue_->CompleteJob(first.task.id, first.token, "", {}).ok());
  EXPECT_EQ(Lease(TaskKind::kQuantize).task.tenant, "a");
  EXPECT_FALSE(HasTask(TaskKind::kQuantize));
}

TEST_P(QueueTest, TurnsSurviveARestart) {
  const std::string a = ReadyModelOf("a"), b = ReadyModelOf("b");
  Queue("a", a, 3);
  Queue("b", b, 3);
  EXPECT_EQ(Turns(1), "a");
  Reopen();
  EXPECT_EQ(Turns(3), "b a b");
}

TEST_P(QueueTest, ShortTasksHaveTurnsOfTheirOwnAndComeFirst) {
  const std::string a = ReadyModelOf("a"), b = ReadyModelOf("b");
  Queue("a", a, 1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(catalogue_->QueuePlan("a", a, "t").ok());
  const std::vector<TaskKind> all = {TaskKind::kQuantize, TaskKind::kInspect, TaskKind::kPlan};
  EXPECT_EQ((*catalogue_->LeaseTask(all, "worker", kEngine))->task.kind, TaskKind::kPlan);
  ASSERT_TRUE(catalogue_->QueuePlan("b", b, "t").ok());
  EXPECT_EQ((*catalogue_->LeaseTask(all, "worker", kEngine))->task.tenant, "b");
}

TEST_P(QueueTest, AWorkerIsGivenOnlyWhatItTakes) {
  const std::string model = ReadyModelOf("a");
  Queue("a", model, 1);
  EXPECT_FALSE(HasTask(TaskKind::kPlan));
  ASSERT_TRUE(catalogue_->QueuePlan("a", model, "t").ok());
  EXPECT_FALSE(HasTask(TaskKind::kInspect));
  EXPECT_EQ(Lease(TaskKind::kQuantize).task.kind, TaskKind::kQuantize);
  EXPECT_FALSE(HasTask(TaskKind::kQuantize));
  EXPECT_EQ(Lease(TaskKind::kPlan).task.kind, TaskKind::kPlan);
}

INSTANTIATE_TEST_SUITE_P(Databases, QueueTest, testing::ValuesIn(kDatabaseKinds), NameOf);

}  // namespace
}  // namespace quantd
