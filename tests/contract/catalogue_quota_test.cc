// What a tenant may have at a time, counted where it is changed.
#include "absl/strings/str_cat.h"
#include "base/quota.h"
#include "tests/contract/catalogue_fixture.h"

namespace quantd {
namespace {

class QuotaTest : public CatalogueTest {
 protected:
  static std::string ResourceOf(const absl::Status& status) {
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(QuotaOf(status).value_or(QuotaRef()).tenant, kTenant);
    return QuotaOf(status).value_or(QuotaRef()).resource;
  }
  // Of one file with ten bytes.
  absl::Status CreateModel(char digit) {
    return catalogue_->CreateModel(kTenant, "m", {{"a", Blob(digit)}}, "").status();
  }
};

TEST_P(QuotaTest, AnnouncedBytesCountUntilTheirModelIsDeleted) {
  limits_[kTenant].stored_bytes = 25;
  const auto first = catalogue_->CreateModel(kTenant, "m", {{"a", Blob('a')}}, "");
  EXPECT_TRUE(CreateModel('b').ok());
  EXPECT_EQ(ResourceOf(CreateModel('c')), "stored_bytes");
  EXPECT_EQ(catalogue_->ListModels(kTenant, 10, "")->records.size(), 2u);
  ASSERT_TRUE(catalogue_->DeleteModel(kTenant, first->id).ok());
  EXPECT_TRUE(CreateModel('c').ok());
}

TEST_P(QuotaTest, BytesThatAreThereAlreadyCountOnce) {
  limits_[kTenant].stored_bytes = 10;
  Upload(Blob('a'));
  EXPECT_TRUE(CreateModel('a').ok());
  EXPECT_TRUE(CreateModel('a').ok());
  EXPECT_EQ(ResourceOf(CreateModel('b')), "stored_bytes");
}

TEST_P(QuotaTest, AnothersBytesDoNotCount) {
  limits_[kTenant].stored_bytes = 10;
  ASSERT_TRUE(catalogue_->CreateModel("team-b", "m", {{"a", Blob('b')}}, "").ok());
  EXPECT_TRUE(CreateModel('a').ok());
}

TEST_P(QuotaTest, AFullTenantQueuesNoJob) {
  const std::string model = ReadyModel();
  limits_[kTenant].stored_bytes = 10;
  EXPECT_EQ(ResourceOf(catalogue_->CreateJob(kTenant, {model, "t"}).status()), "stored_bytes");
}

TEST_P(QuotaTest, AJobWhoseArtifactsAreTooManyFailsAndKeepsNone) {
  const std::string job = QueuedJob();
  limits_[kTenant].stored_bytes = 25;
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  const auto completion =
      catalogue_->CompleteJob(lease.task.id, lease.token, "", {{Blob('b'), "one"}, {Blob('c'), "two"}});
  ASSERT_TRUE(completion.ok()) << completion.status();
  EXPECT_EQ(ResourceOf(completion->outcome), "stored_bytes");
  EXPECT_EQ(completion->superfluous, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kFailed);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->error_code,
            static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(absl::IsNotFound(catalogue_->FindBlob(kTenant, Blob('b')).status()));
  EXPECT_FALSE(HasTask(TaskKind::kQuantize));
}

TEST_P(QuotaTest, ArtifactsThatAreThereAlreadyNeedNoRoom) {
  const std::string job = QueuedJob();
  limits_[kTenant].stored_bytes = 20;
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  const auto completion = catalogue_->CompleteJob(
      lease.task.id, lease.token, "", {{Blob('a'), "copy"}, {Blob('b'), "one"}, {Blob('b'), "again"}});
  EXPECT_TRUE(completion->outcome.ok()) << completion->outcome;
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kSucceeded);
}

TEST_P(QuotaTest, OnlyJobsThatWaitCountAsQueued) {
  limits_[kTenant].queued_jobs = 2;
  const std::string model = ReadyModel();
  ASSERT_TRUE(catalogue_->CreateJob(kTenant, {model, "t", {}, "first"}).ok());
  ASSERT_TRUE(catalogue_->CreateJob(kTenant, {model, "t"}).ok());
  const absl::Status refused = catalogue_->CreateJob(kTenant, {model, "t"}).status();
  EXPECT_EQ(ResourceOf(refused), "queued_jobs");
  EXPECT_TRUE(RetryDelayOf(refused).has_value());
  EXPECT_TRUE(catalogue_->CreateJob(kTenant, {model, "t", {}, "first"}).ok()) << "it is there already";
  Lease(TaskKind::kQuantize);
  EXPECT_TRUE(catalogue_->CreateJob(kTenant, {model, "t"}).ok());
}

INSTANTIATE_TEST_SUITE_P(Databases, QuotaTest, testing::ValuesIn(kDatabaseKinds), NameOf);

}  // namespace
}  // namespace quantd
