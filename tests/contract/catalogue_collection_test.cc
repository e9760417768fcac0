// What retention lets go, and what it never does.
#include "tests/contract/catalogue_fixture.h"

namespace quantd {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

class CollectionTest : public CatalogueTest {
 protected:
  // A job that has succeeded, with the artifact 'b'.
  std::string EndedJob() {
    const std::string job = QueuedJob();
    const LeaseRecord lease = Lease(TaskKind::kQuantize);
    EXPECT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, "", {{Blob('b'), "artifact"}}).ok());
    return job;
  }
  Collection Collect(const Retention& retention, bool dry_run = false) {
    const auto collected = catalogue_->Collect(retention, dry_run);
    EXPECT_TRUE(collected.ok()) << collected.status();
    return collected.value_or(Collection());
  }
  bool HasModel(const std::string& id) { return catalogue_->GetModel(kTenant, id).ok(); }
  bool HasJob(const std::string& id) { return catalogue_->GetJob(kTenant, id).ok(); }

  static constexpr Retention kArtifacts = {kDay, absl::ZeroDuration(), absl::ZeroDuration()};
  static constexpr Retention kModels = {absl::ZeroDuration(), kDay, absl::ZeroDuration()};
  static constexpr Retention kUploads = {absl::ZeroDuration(), absl::ZeroDuration(), kDay};
  static constexpr Retention kAll = {kDay, kDay, kDay};
};

TEST_P(CollectionTest, NothingGoesUnlessItIsAsked) {
  const std::string job = EndedJob();
  ASSERT_TRUE(catalogue_->CreateModel(kTenant, "m", {{"a", Blob('c')}}, "").ok());
  Advance(kDay * 1000);
  const Collection collected = Collect({});
  EXPECT_TRUE(collected.models.empty() && collected.jobs.empty() && collected.upload_ids.empty());
  EXPECT_EQ(collected.objects, 0);
}

TEST_P(CollectionTest, AnEndedJobGoesWithItsArtifacts) {
  const std::string job = EndedJob();
  Advance(kDay - absl::Seconds(1));
  EXPECT_TRUE(Collect(kArtifacts).jobs.empty());
  Advance(absl::Seconds(1));
  const Collection collected = Collect(kArtifacts);
  ASSERT_EQ(collected.jobs.size(), 1u);
  EXPECT_EQ(collected.jobs[0].id, job);
  EXPECT_EQ(collected.jobs[0].tenant, kTenant);
  EXPECT_EQ(collected.objects, 1);
  EXPECT_EQ(collected.object_bytes, 10);
  EXPECT_FALSE(HasJob(job));
  EXPECT_EQ(*catalogue_->Garbage(absl::ZeroDuration()), (std::vector<std::string>{"artifact"}));
}

TEST_P(CollectionTest, AFetchKeepsAJob) {
  const std::string job = EndedJob();
  Advance(kDay - absl::Seconds(1));
  EXPECT_EQ(*catalogue_->UseBlob(kTenant, Blob('b')), "artifact");
  Advance(kDay - absl::Seconds(1));
  EXPECT_TRUE(Collect(kArtifacts).jobs.empty());
  EXPECT_TRUE(absl::IsNotFound(catalogue_->UseBlob("team-b", Blob('b')).status()));
  Advance(absl::Seconds(1));
  EXPECT_EQ(Collect(kArtifacts).jobs.size(), 1u);
}

TEST_P(CollectionTest, AnArtifactThatAnotherJobHasStays) {
  NewJob job{ReadyModel(), "t"};
  job.recipe = "r";
  job.engine = kEngine;
  const std::string first = catalogue_->CreateJob(kTenant, job)->id;
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  ASSERT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, "", {{Blob('b'), "artifact"}}).ok());
  Advance(kDay);
  const auto second = catalogue_->CreateJob(kTenant, job);
  ASSERT_TRUE(second->cached);
  EXPECT_EQ(Collect(kArtifacts).objects, 0);
  EXPECT_FALSE(HasJob(first));
  EXPECT_EQ(*catalogue_->FindBlob(kTenant, Blob('b')), "artifact");
  Advance(kDay);
  EXPECT_EQ(Collect(kArtifacts).objects, 1);
}

TEST_P(CollectionTest, AnUnusedModelGoesAndAUsedOneStays) {
  const std::string model = ReadyModel();
  Advance(kDay - absl::Seconds(1));
  const std::string job = catalogue_->CreateJob(kTenant, {model, "t"})->id;
  Advance(kDay);
  EXPECT_TRUE(Collect(kAll).models.empty()) << "its job waits";
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  Advance(kDay);
  EXPECT_TRUE(Collect(kAll).models.empty()) << "its job runs";
  ASSERT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, "", {}).ok());
  Advance(kDay - absl::Seconds(1));
  EXPECT_TRUE(Collect(kAll).models.empty()) << "its job ended less than a day ago";
  Advance(absl::Seconds(1));
  EXPECT_EQ(Collect(kModels).models.size(), 1u);
  EXPECT_FALSE(HasModel(model));
  EXPECT_TRUE(HasJob(job));
}

TEST_P(CollectionTest, AModelThatIsInspectedOrPlannedForStays) {
  Upload(Blob('a'));
  const auto inspected = catalogue_->CreateModel(kTenant, "m", {{"a", Blob('a')}}, "");
  Advance(kDay * 2);
  EXPECT_TRUE(Collect(kAll).models.empty());
  const LeaseRecord lease = Lease(TaskKind::kInspect);
  ASSERT_TRUE(catalogue_->CompleteInspect(lease.task.id, lease.token, "").ok());
  ASSERT_TRUE(catalogue_->QueuePlan(kTenant, inspected->id, "t").ok());
  Advance(kDay * 2);
  EXPECT_TRUE(Collect(kAll).models.empty());
}

TEST_P(CollectionTest, AnAbandonedUploadGoesWithItsModel) {
  const auto model = catalogue_->CreateModel(kTenant, "m", {{"a", Blob('c')}, {"b", Blob('d')}}, "");
  const auto upload = catalogue_->BeginUpload(kTenant, Blob('c'));
  Upload(Blob('d'));
  Advance(kDay - absl::Seconds(1));
  ASSERT_TRUE(catalogue_->UseUpload(kTenant, upload->id).ok());
  Advance(kDay - absl::Seconds(1));
  EXPECT_TRUE(Collect(kAll).models.empty()) << "bytes came less than a day ago";
  Advance(absl::Seconds(1));
  const Collection collected = Collect(kUploads);
  EXPECT_EQ(collected.models.size(), 1u);
  EXPECT_EQ(collected.upload_ids, (std::vector<std::string>{upload->id}));
  EXPECT_EQ(collected.objects, 1) << "the file that had come";
  EXPECT_FALSE(HasModel(model->id));
}

TEST_P(CollectionTest, ADryRunTellsTheSameAndChangesNothing) {
  const std::string job = EndedJob();
  const std::string model = catalogue_->GetJob(kTenant, job)->model_id;
  Advance(kDay);
  for (const bool dry_run : {true, true, false}) {
    ASSERT_TRUE(HasJob(job));
    ASSERT_TRUE(HasModel(model));
    const Collection collected = Collect(kAll, dry_run);
    EXPECT_EQ(collected.jobs.size(), 1u);
    EXPECT_EQ(collected.models.size(), 1u);
    EXPECT_EQ(collected.objects, 2);
    EXPECT_EQ(collected.object_bytes, 20);
  }
  EXPECT_FALSE(HasJob(job));
}

TEST_P(CollectionTest, ObjectsAreRemovedAfterAGrace) {
  const std::string job = EndedJob();
  EXPECT_EQ(*catalogue_->DeleteJob(kTenant, job), (std::vector<std::string>{"artifact"}));
  Reopen();
  Advance(absl::Minutes(59));
  EXPECT_TRUE(catalogue_->Garbage(absl::Hours(1))->empty());
  EXPECT_TRUE(catalogue_->UnknownObjects({"artifact"})->empty());
  Advance(absl::Minutes(1));
  EXPECT_EQ(*catalogue_->Garbage(absl::Hours(1)), (std::vector<std::string>{"artifact"}));
  ASSERT_TRUE(catalogue_->ForgetGarbage({"artifact"}).ok());
  EXPECT_TRUE(catalogue_->Garbage(absl::ZeroDuration())->empty());
}

INSTANTIATE_TEST_SUITE_P(Databases, CollectionTest, testing::ValuesIn(kDatabaseKinds), NameOf);

}  // namespace
}  // namespace quantd
