// A job that does what an earlier one did ends at once with its artifacts.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/contract/catalogue_fixture.h"

namespace quantd {
namespace {

class CacheTest : public CatalogueTest {
 protected:
  void SetUp() override {
    CatalogueTest::SetUp();
    model_ = ReadyModel();
  }

  // Of the model, for workers of kEngine.
  NewJob Job() { return {.model_id = model_, .targets_blob = "t", .recipe = "r", .engine = kEngine}; }
  JobRecord Create(const NewJob& job) {
    const auto created = catalogue_->CreateJob(kTenant, job);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.value_or(JobRecord());
  }
  // Run by a worker, with one artifact.
  std::string Done(const NewJob& job) {
    const std::string id = Create(job).id;
    const LeaseRecord lease = Lease(TaskKind::kQuantize);
    EXPECT_TRUE(
        catalogue_->CompleteJob(lease.task.id, lease.token, "result", {{Blob('b'), "artifact"}}).ok());
    return id;
  }
  // A model of these bytes, ready.
  std::string ModelOf(const std::string& tenant, const std::string& name, const std::string& path) {
    const auto upload = catalogue_->BeginUpload(tenant, Blob('a'));
    EXPECT_TRUE(catalogue_->FinishUpload(tenant, upload->id, absl::StrCat("blobs/", upload->id)).ok());
    const auto model = catalogue_->CreateModel(tenant, name, {{path, Blob('a')}}, "");
    const LeaseRecord lease = Lease(TaskKind::kInspect);
    EXPECT_TRUE(catalogue_->CompleteInspect(lease.task.id, lease.token, "").ok());
    return model->id;
  }

  std::string model_;
};

TEST_P(CacheTest, AnEqualJobEndsAtOnceAlsoAfterARestart) {
  const std::string first = Done(Job());
  Reopen();
  const JobRecord second = Create(Job());
  EXPECT_NE(second.id, first);
  EXPECT_EQ(second.state, JobState::kSucceeded);
  EXPECT_TRUE(second.cached);
  EXPECT_EQ(second.result_blob, "result");
  EXPECT_TRUE(second.end_time.has_value());
  EXPECT_FALSE(HasTask(TaskKind::kQuantize));
  EXPECT_EQ(Events(second.id), (std::vector<EventType>{EventType::kCreated, EventType::kSucceeded}));
  EXPECT_TRUE(absl::StrContains((*catalogue_->ListEvents(kTenant, second.id, 1, 1))[0].message, first));
}

TEST_P(CacheTest, ListenersHearOfItsEnd) {
  Done(Job());
  std::vector<EventType> events;
  catalogue_->SetListener({.on_job_event = [&](const JobNews& news) { events.push_back(news.type); },
                           .on_job_changed = {},
                           .on_task_queued = {},
                           .on_plan_finished = {},
                           .on_missed = {}});
  Create(Job());
  EXPECT_EQ(events, (std::vector<EventType>{EventType::kCreated, EventType::kSucceeded}));
}

TEST_P(CacheTest, EachJobKeepsItsArtifactsWhenTheOtherIsDeleted) {
  const std::string first = Done(Job());
  const std::string second = Create(Job()).id;
  EXPECT_TRUE(catalogue_->DeleteJob(kTenant, first)->empty());
  EXPECT_EQ(*catalogue_->FindBlob(kTenant, Blob('b')), "artifact");
  EXPECT_TRUE(Create(Job()).cached) << "the one that is left serves as well";
  EXPECT_TRUE(catalogue_->DeleteJob(kTenant, second)->empty());
}

TEST_P(CacheTest, TheSameSourcesUnderAnotherModelWillDo) {
  Done(Job());
  NewJob job = Job();
  job.model_id = ModelOf(kTenant, "model", "config.json");
  EXPECT_TRUE(Create(job).cached);
}

TEST_P(CacheTest, AnotherRecipeEngineNamePathOrTenantIsAnotherJob) {
  Done(Job());
  NewJob job = Job();
  job.recipe = "another";
  EXPECT_FALSE(Create(job).cached);
  job = Job();
  job.engine = "2";
  EXPECT_FALSE(Create(job).cached);
  job = Job();
  job.recipe = "";
  EXPECT_FALSE(Create(job).cached);
  while (HasTask(TaskKind::kQuantize)) {
  }
  job = Job();
  job.model_id = ModelOf(kTenant, "renamed", "config.json");
  EXPECT_FALSE(Create(job).cached);
  job.model_id = ModelOf(kTenant, "model", "other.json");
  EXPECT_FALSE(Create(job).cached);
  job.model_id = ModelOf("team-b", "model", "config.json");
  EXPECT_FALSE(catalogue_->CreateJob("team-b", job)->cached);
}

TEST_P(CacheTest, AJobMayBeRunAgain) {
  Done(Job());
  NewJob job = Job();
  job.use_cache = false;
  EXPECT_EQ(Create(job).state, JobState::kQueued);
  EXPECT_TRUE(HasTask(TaskKind::kQuantize));
}

TEST_P(CacheTest, OnlySuccessIsKept) {
  Create(Job());
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  EXPECT_FALSE(Create(Job()).cached) << "of one that runs";
  ASSERT_TRUE(catalogue_->FailTask(lease.task.id, lease.token, absl::InvalidArgumentError("no")).ok());
  EXPECT_FALSE(Create(Job()).cached);
}

TEST_P(CacheTest, TheEngineIsThatOfTheWorkerThatRanTheJob) {
  NewJob job = Job();
  job.engine = "2";  // what another worker said last
  Done(job);         // by a worker of kEngine
  EXPECT_FALSE(Create(job).cached);
  EXPECT_TRUE(Create(Job()).cached);
}

INSTANTIATE_TEST_SUITE_P(Databases, CacheTest, testing::ValuesIn(kDatabaseKinds), NameOf);

}  // namespace
}  // namespace quantd
