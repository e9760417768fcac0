// A tenant's callers see its own records alone: another tenant's are answered as those that never were.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/contract/catalogue_fixture.h"

namespace quantd {
namespace {

constexpr char kOther[] = "team-b";

class TenantTest : public CatalogueTest {
 protected:
  // Names of one tenant's records, or of none.
  struct Names {
    std::string model, job, upload;
    BlobId blob, sending;  // one that is complete, and one that is not
  };

  // A method that takes a name, called with one of these names.
  struct Method {
    const char* name;
    std::function<absl::Status(Catalogue&, const std::string& tenant, const Names&)> call;
  };
  static std::vector<Method> Methods() {
    return {
        {"FindBlob",
         [](Catalogue& c, const std::string& t, const Names& n) { return c.FindBlob(t, n.blob).status(); }},
        {"GetUpload", [](Catalogue& c, const std::string& t,
                         const Names& n) { return c.GetUpload(t, n.upload).status(); }},
        {"FindUpload", [](Catalogue& c, const std::string& t,
                          const Names& n) { return c.FindUpload(t, n.sending).status(); }},
        {"FinishUpload", [](Catalogue& c, const std::string& t,
                            const Names& n) { return c.FinishUpload(t, n.upload, "key"); }},
        {"GetModel",
         [](Catalogue& c, const std::string& t, const Names& n) { return c.GetModel(t, n.model).status(); }},
        {"CreateJob",
         [](Catalogue& c, const std::string& t, const Names& n) {
           return c.CreateJob(t, {n.model, "t", {}, ""}).status();
         }},
        {"QueuePlan", [](Catalogue& c, const std::string& t,
                         const Names& n) { return c.QueuePlan(t, n.model, "t").status(); }},
        {"GetJob",
         [](Catalogue& c, const std::string& t, const Names& n) { return c.GetJob(t, n.job).status(); }},
        {"CancelJob",
         [](Catalogue& c, const std::string& t, const Names& n) { return c.CancelJob(t, n.job).status(); }},
        {"DeleteJob",
         [](Catalogue& c, const std::string& t, const Names& n) { return c.DeleteJob(t, n.job).status(); }},
        {"DeleteModel", [](Catalogue& c, const std::string& t,
                           const Names& n) { return c.DeleteModel(t, n.model).status(); }},
    };
  }

  Names MakeRecords() {
    Names names;
    names.job = QueuedJob();
    names.model = catalogue_->GetJob(kTenant, names.job)->model_id;
    names.blob = Blob('a');
    names.sending = Blob('c');
    EXPECT_TRUE(catalogue_->CreateModel(kTenant, "m", {{"a", Blob('c')}}, "").ok());
    names.upload = catalogue_->BeginUpload(kTenant, Blob('c'))->id;
    return names;
  }

  // The error without the name that it is about.
  static std::string WithoutNames(const absl::Status& error, const Names& names) {
    const ResourceRef resource = ResourceOf(error).value_or(ResourceRef());
    return absl::StrReplaceAll(absl::StrCat(error.ToString(absl::StatusToStringMode::kWithNoExtraData),
                                            " about ", resource.type, " ", resource.name),
                               {{names.model, "NAME"},
                                {names.job, "NAME"},
                                {names.upload, "NAME"},
                                {names.blob.sha256, "NAME"},
                                {names.sending.sha256, "NAME"}});
  }
};

TEST_P(TenantTest, AnothersRecordsAreAnsweredAsThoseThatNeverWere) {
  const Names theirs = MakeRecords();
  const Names nobodys = {"1234", "5678", "9abc", Blob('1'), Blob('2')};
  for (const Method& method : Methods()) {
    const absl::Status refused = method.call(*catalogue_, kOther, theirs);
    EXPECT_TRUE(absl::IsNotFound(refused)) << method.name << ": " << refused;
    EXPECT_EQ(WithoutNames(refused, theirs), WithoutNames(method.call(*catalogue_, kOther, nobodys), nobodys))
        << method.name;
  }
  // Nothing of it had an effect.
  EXPECT_EQ(catalogue_->GetJob(kTenant, theirs.job)->state, JobState::kQueued);
  EXPECT_EQ(catalogue_->GetUpload(kTenant, theirs.upload)->blob, theirs.sending);
  EXPECT_TRUE(catalogue_->ListEvents(kOther, theirs.job, 0, 10)->empty());
}

TEST_P(TenantTest, ListsHaveTheTenantsOwnRecords) {
  const std::string job = QueuedJob();
  EXPECT_TRUE(catalogue_->ListJobs(kOther, {}, 10, "")->records.empty());
  EXPECT_TRUE(catalogue_->ListModels(kOther, 10, "")->records.empty());
  EXPECT_EQ(catalogue_->ListJobs(kTenant, {}, 10, "")->records.size(), 1u);
  EXPECT_EQ(catalogue_->ListModels(kTenant, 10, "")->records.size(), 1u);
  const std::string model = catalogue_->GetJob(kTenant, job)->model_id;
  EXPECT_TRUE(
      catalogue_->ListJobs(kOther, {.state = {}, .model_id = model, .labels = {}}, 10, "")->records.empty());
}

TEST_P(TenantTest, APageTokenOfAnotherTenantShowsNothingOfIt) {
  const std::string model = ReadyModel();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(catalogue_->CreateJob(kTenant, {model, "t", {}, ""}).ok());
  const std::string token = catalogue_->ListJobs(kTenant, {}, 1, "")->next_token;
  EXPECT_TRUE(catalogue_->ListJobs(kOther, {}, 10, token)->records.empty());
}

TEST_P(TenantTest, AListGoesOnWhereItWasWhenItsLastRecordIsDeletedMeanwhile) {
  const std::string model = ReadyModel();
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(catalogue_->CreateJob(kTenant, {model, "t", {}, ""})->id);
    Advance(absl::Seconds(1));
  }
  const auto first = catalogue_->ListJobs(kTenant, {}, 2, "");
  ASSERT_TRUE(catalogue_->CancelJob(kTenant, ids[1]).ok());
  ASSERT_TRUE(catalogue_->DeleteJob(kTenant, ids[1]).ok());
  const auto rest = catalogue_->ListJobs(kTenant, {}, 2, first->next_token);
  ASSERT_EQ(rest->records.size(), 1u);
  EXPECT_EQ(rest->records[0].id, ids[0]);
}

TEST_P(TenantTest, EqualBlobsAreTwoBlobsWithTheirOwnUploads) {
  const auto mine = catalogue_->BeginUpload(kTenant, Blob('a'));
  const auto theirs = catalogue_->BeginUpload(kOther, Blob('a'));
  EXPECT_NE(mine->id, theirs->id);
  ASSERT_TRUE(catalogue_->FinishUpload(kTenant, mine->id, "mine").ok());
  EXPECT_TRUE(absl::IsNotFound(catalogue_->FindBlob(kOther, Blob('a')).status()));
  ASSERT_TRUE(catalogue_->FinishUpload(kOther, theirs->id, "theirs").ok());
  EXPECT_EQ(*catalogue_->FindBlob(kTenant, Blob('a')), "mine");
  EXPECT_EQ(*catalogue_->FindBlob(kOther, Blob('a')), "theirs");
}

TEST_P(TenantTest, ABlobGoesWithItsOwnTenantsLastModel) {
  const std::string mine = ReadyModel();
  const auto upload = catalogue_->BeginUpload(kOther, Blob('a'));
  const auto theirs = catalogue_->CreateModel(kOther, "m", {{"a", Blob('a')}}, "");
  ASSERT_TRUE(catalogue_->FinishUpload(kOther, upload->id, "theirs").ok());
  EXPECT_EQ(catalogue_->GetModel(kOther, theirs->id)->state, ModelState::kInspecting);
  EXPECT_EQ(catalogue_->DeleteModel(kOther, theirs->id)->object_keys, (std::vector<std::string>{"theirs"}));
  EXPECT_TRUE(catalogue_->FindBlob(kTenant, Blob('a')).ok());
  EXPECT_EQ(catalogue_->DeleteModel(kTenant, mine)->object_keys.size(), 1u);
}

TEST_P(TenantTest, ATenantsBlobCompletesNoModelOfAnother) {
  const auto theirs = catalogue_->CreateModel(kOther, "m", {{"a", Blob('a')}}, "");
  Upload(Blob('a'));
  EXPECT_EQ(catalogue_->GetModel(kOther, theirs->id)->state, ModelState::kUploading);
}

TEST_P(TenantTest, EqualArtifactsOfTwoTenantsAreKeptTwice) {
  QueuedJob();
  const LeaseRecord mine = Lease(TaskKind::kQuantize);
  ASSERT_TRUE(catalogue_->CompleteJob(mine.task.id, mine.token, "", {{Blob('b'), "mine"}}).ok());
  const auto upload = catalogue_->BeginUpload(kOther, Blob('a'));
  ASSERT_TRUE(catalogue_->FinishUpload(kOther, upload->id, "source").ok());
  const auto model = catalogue_->CreateModel(kOther, "m", {{"a", Blob('a')}}, "");
  const LeaseRecord inspect = Lease(TaskKind::kInspect);
  EXPECT_EQ(inspect.task.tenant, kOther);
  ASSERT_TRUE(catalogue_->CompleteInspect(inspect.task.id, inspect.token, "").ok());
  ASSERT_TRUE(catalogue_->CreateJob(kOther, {model->id, "t", {}, ""}).ok());
  const LeaseRecord theirs = Lease(TaskKind::kQuantize);
  EXPECT_EQ(theirs.task.tenant, kOther);
  const auto completion = catalogue_->CompleteJob(theirs.task.id, theirs.token, "", {{Blob('b'), "theirs"}});
  EXPECT_TRUE(completion->superfluous.empty());
  EXPECT_EQ(*catalogue_->FindBlob(kOther, Blob('b')), "theirs");
}

TEST_P(TenantTest, OneRequestIdOfTwoTenantsMakesTwoRecords) {
  const auto mine = catalogue_->CreateModel(kTenant, "m", {{"a", Blob('a')}}, "id");
  const auto theirs = catalogue_->CreateModel(kOther, "n", {{"b", Blob('b')}}, "id");
  ASSERT_TRUE(theirs.ok()) << theirs.status();
  EXPECT_NE(mine->id, theirs->id);
}

INSTANTIATE_TEST_SUITE_P(Databases, TenantTest, testing::ValuesIn(kDatabaseKinds), NameOf);

}  // namespace
}  // namespace quantd
