// What the catalogue promises: transitions of models and jobs, leases with fencing tokens, events without
// gaps.
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/contract/catalogue_fixture.h"

namespace quantd {
namespace {

TEST_P(CatalogueTest, AnUploadKeepsItsIdUntilTheBlobIsComplete) {
  const std::string id = catalogue_->BeginUpload(kTenant, Blob('a'))->id;
  Reopen();
  EXPECT_EQ(catalogue_->BeginUpload(kTenant, Blob('a'))->id, id);
  EXPECT_EQ(catalogue_->GetUpload(kTenant, id)->blob.sha256, Blob('a').sha256);
  EXPECT_TRUE(absl::IsNotFound(catalogue_->FindBlob(kTenant, Blob('a')).status()));
  ASSERT_TRUE(catalogue_->FinishUpload(kTenant, id, "key").ok());
  EXPECT_EQ(*catalogue_->FindBlob(kTenant, Blob('a')), "key");
  EXPECT_TRUE(absl::IsNotFound(catalogue_->GetUpload(kTenant, id).status()));
}

TEST_P(CatalogueTest, AModelIsInspectedWhenItsLastBlobIsThere) {
  auto model = catalogue_->CreateModel(kTenant, "m", {{"a", Blob('a')}, {"b", Blob('b')}}, "");
  Upload(Blob('a'));
  EXPECT_EQ(catalogue_->GetModel(kTenant, model->id)->state, ModelState::kUploading);
  EXPECT_FALSE(HasTask(TaskKind::kInspect));
  Upload(Blob('b'));
  EXPECT_EQ(catalogue_->GetModel(kTenant, model->id)->state, ModelState::kInspecting);
  const LeaseRecord lease = Lease(TaskKind::kInspect);
  EXPECT_EQ(lease.task.model_id, model->id);
  ASSERT_TRUE(catalogue_->CompleteInspect(lease.task.id, lease.token, "what it is").ok());
  EXPECT_EQ(catalogue_->GetModel(kTenant, model->id)->state, ModelState::kReady);
  EXPECT_EQ(catalogue_->GetModel(kTenant, model->id)->summary_blob, "what it is");
}

TEST_P(CatalogueTest, ABrokenModelFailsWithTheReason) {
  Upload(Blob('a'));
  auto model = catalogue_->CreateModel(kTenant, "m", {{"a", Blob('a')}}, "");
  const LeaseRecord lease = Lease(TaskKind::kInspect);
  ASSERT_TRUE(
      catalogue_->FailTask(lease.task.id, lease.token, absl::InvalidArgumentError("config.json: no")).ok());
  EXPECT_EQ(catalogue_->GetModel(kTenant, model->id)->state, ModelState::kFailed);
  EXPECT_EQ(catalogue_->GetModel(kTenant, model->id)->error, "config.json: no");
}

TEST_P(CatalogueTest, RequestIdsMakeCallsRepeatable) {
  auto first = catalogue_->CreateModel(kTenant, "m", {{"a", Blob('c')}}, "r");
  EXPECT_EQ(catalogue_->CreateModel(kTenant, "m", {{"a", Blob('c')}}, "r")->id, first->id);
  const std::string model = ReadyModel();
  auto job = catalogue_->CreateJob(kTenant, {model, "t", {}, "j"});
  EXPECT_EQ(catalogue_->CreateJob(kTenant, {model, "t", {}, "j"})->id, job->id);
}

TEST_P(CatalogueTest, ListsNewestFirstInPagesAndFilters) {
  const std::string model = ReadyModel();
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i)
    ids.push_back(catalogue_->CreateJob(kTenant, {model, "t", {{"n", i % 2 ? "odd" : "even"}}, ""})->id);
  auto page = catalogue_->ListJobs(kTenant, {}, 3, "");
  ASSERT_EQ(page->records.size(), 3u);
  EXPECT_EQ(page->records[0].id, ids[4]);
  page = catalogue_->ListJobs(kTenant, {}, 3, page->next_token);
  ASSERT_EQ(page->records.size(), 2u);
  EXPECT_EQ(page->records[1].id, ids[0]);
  EXPECT_EQ(page->next_token, "");
  EXPECT_EQ(catalogue_->ListJobs(kTenant, {.state = {}, .model_id = model, .labels = {{"n", "odd"}}}, 9, "")
                ->records.size(),
            2u);
  EXPECT_EQ(catalogue_->ListJobs(kTenant, {.state = JobState::kFailed, .model_id = "", .labels = {}}, 9, "")
                ->records.size(),
            0u);
  EXPECT_TRUE(absl::IsInvalidArgument(catalogue_->ListJobs(kTenant, {}, 3, "x").status()));
}

TEST_P(CatalogueTest, AJobRunsAndSucceeds) {
  const std::string job = QueuedJob();
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kRunning);
  EXPECT_FALSE(*catalogue_->Heartbeat(lease.task.id, lease.token, JobProgressRecord{"quantize", 1, 2, 3, 4}));
  EXPECT_FALSE(*catalogue_->Heartbeat(lease.task.id, lease.token, JobProgressRecord{"quantize", 1, 2, 3, 4}));
  ASSERT_TRUE(
      catalogue_->CompleteJob(lease.task.id, lease.token, "result", {{Blob('b'), "artifacts/b"}}).ok());
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kSucceeded);
  EXPECT_EQ(*catalogue_->FindBlob(kTenant, Blob('b')), "artifacts/b");
  EXPECT_EQ(Events(job), (std::vector<EventType>{EventType::kCreated, EventType::kStarted,
                                                 EventType::kProgress, EventType::kSucceeded}));
}

TEST_P(CatalogueTest, AnArtifactThatIsThereAlreadyIsNotKeptTwice) {
  QueuedJob();
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  auto completion =
      catalogue_->CompleteJob(lease.task.id, lease.token, "", {{Blob('b'), "one"}, {Blob('b'), "two"}});
  EXPECT_EQ(completion->superfluous, (std::vector<std::string>{"two"}));
}

TEST_P(CatalogueTest, ALostWorkersJobIsTriedAgainAndItsTokenIsStale) {
  const std::string job = QueuedJob();
  const LeaseRecord first = Lease(TaskKind::kQuantize);
  Advance(absl::Seconds(9));
  EXPECT_EQ(*catalogue_->ExpireLeases(), 0);
  Advance(absl::Seconds(1));
  EXPECT_EQ(*catalogue_->ExpireLeases(), 1);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kQueued);
  const LeaseRecord second = Lease(TaskKind::kQuantize);
  EXPECT_GT(second.token, first.token);
  EXPECT_EQ(second.attempt, 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(catalogue_->Heartbeat(first.task.id, first.token, {}).status()));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(catalogue_->CompleteJob(first.task.id, first.token, "", {}).status()));
  EXPECT_TRUE(catalogue_->Heartbeat(second.task.id, second.token, {}).ok());
  Advance(absl::Seconds(10));
  EXPECT_EQ(*catalogue_->ExpireLeases(), 1);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kFailed);
}

TEST_P(CatalogueTest, AHeartbeatRenewsTheLease) {
  QueuedJob();
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  Advance(absl::Seconds(9));
  ASSERT_TRUE(catalogue_->Heartbeat(lease.task.id, lease.token, {}).ok());
  Advance(absl::Seconds(9));
  EXPECT_EQ(*catalogue_->ExpireLeases(), 0);
}

TEST_P(CatalogueTest, LeasesSurviveARestart) {
  QueuedJob();
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  Reopen();
  EXPECT_TRUE(catalogue_->Heartbeat(lease.task.id, lease.token, {}).ok());
}

TEST_P(CatalogueTest, FinalErrorsAreNotTriedAgain) {
  const std::string job = QueuedJob();
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  ASSERT_TRUE(catalogue_->FailTask(lease.task.id, lease.token, absl::InvalidArgumentError("tensor x")).ok());
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kFailed);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->error_code,
            static_cast<int>(absl::StatusCode::kInvalidArgument));
}

TEST_P(CatalogueTest, AQueuedJobIsCancelledAtOnceAndARunningOneByItsWorker) {
  const std::string queued = QueuedJob();
  EXPECT_EQ(catalogue_->CancelJob(kTenant, queued)->state, JobState::kCancelled);
  EXPECT_FALSE(HasTask(TaskKind::kQuantize));
  const std::string running = QueuedJob();
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  EXPECT_EQ(catalogue_->CancelJob(kTenant, running)->state, JobState::kRunning);
  EXPECT_TRUE(*catalogue_->Heartbeat(lease.task.id, lease.token, {}));
  ASSERT_TRUE(catalogue_->FailTask(lease.task.id, lease.token, absl::CancelledError("cancelled")).ok());
  EXPECT_EQ(catalogue_->GetJob(kTenant, running)->state, JobState::kCancelled);
}

TEST_P(CatalogueTest, DeletingGivesBackWhatNothingNeeds) {
  const std::string job = QueuedJob();
  const std::string model = catalogue_->GetJob(kTenant, job)->model_id;
  EXPECT_TRUE(absl::IsFailedPrecondition(catalogue_->DeleteJob(kTenant, job).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(catalogue_->DeleteModel(kTenant, model).status()));
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  ASSERT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, "", {{Blob('b'), "artifact"}}).ok());
  EXPECT_EQ(*catalogue_->DeleteJob(kTenant, job), (std::vector<std::string>{"artifact"}));
  EXPECT_EQ(catalogue_->DeleteModel(kTenant, model)->object_keys,
            (std::vector<std::string>{"blobs/" + Blob('a').sha256}));
  EXPECT_TRUE(absl::IsNotFound(catalogue_->GetModel(kTenant, model).status()));
}

TEST_P(CatalogueTest, APlanIsTakenOnce) {
  const std::string model = ReadyModel();
  const std::string plan = *catalogue_->QueuePlan(kTenant, model, "targets");
  EXPECT_TRUE(absl::IsUnavailable(catalogue_->TakePlan(plan).status()));
  const LeaseRecord lease = Lease(TaskKind::kPlan);
  EXPECT_EQ(lease.task.targets_blob, "targets");
  ASSERT_TRUE(catalogue_->CompletePlan(lease.task.id, lease.token, "sizes").ok());
  EXPECT_EQ(*catalogue_->TakePlan(plan), "sizes");
  EXPECT_TRUE(absl::IsNotFound(catalogue_->TakePlan(plan).status()));
}

TEST_P(CatalogueTest, APlanThatNobodyTakesIsForgotten) {
  const std::string plan = *catalogue_->QueuePlan(kTenant, ReadyModel(), "targets");
  const LeaseRecord lease = Lease(TaskKind::kPlan);
  ASSERT_TRUE(catalogue_->CompletePlan(lease.task.id, lease.token, "sizes").ok());
  Advance(absl::Hours(1));
  EXPECT_EQ(*catalogue_->ExpireLeases(), 0);
  EXPECT_TRUE(absl::IsNotFound(catalogue_->TakePlan(plan).status()));
}

TEST_P(CatalogueTest, APlansErrorIsTheOneOfItsWorker) {
  const std::string plan = *catalogue_->QueuePlan(kTenant, ReadyModel(), "targets");
  const LeaseRecord lease = Lease(TaskKind::kPlan);
  ASSERT_TRUE(
      catalogue_->FailTask(lease.task.id, lease.token, absl::InvalidArgumentError("no such scheme")).ok());
  EXPECT_EQ(catalogue_->TakePlan(plan).status(), absl::InvalidArgumentError("no such scheme"));
}

TEST_P(CatalogueTest, KeepsSerializedBytesAsTheyAre) {
  const std::string bytes("\0\xff\x80text\0", 8);
  auto job = catalogue_->CreateJob(kTenant, {ReadyModel(), bytes, {}, ""});
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  ASSERT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, bytes, {}).ok());
  EXPECT_EQ(catalogue_->GetJob(kTenant, job->id)->targets_blob, bytes);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job->id)->result_blob, bytes);
}

TEST_P(CatalogueTest, ABlobThatAnotherModelNeedsStays) {
  const std::string first = ReadyModel();
  const std::string second = ReadyModel();
  EXPECT_TRUE(catalogue_->DeleteModel(kTenant, first)->object_keys.empty());
  EXPECT_TRUE(catalogue_->FindBlob(kTenant, Blob('a')).ok());
  EXPECT_EQ(catalogue_->DeleteModel(kTenant, second)->object_keys.size(), 1u);
}

TEST_P(CatalogueTest, AnEndedJobKeepsNoModel) {
  const std::string job = QueuedJob();
  const std::string model = catalogue_->GetJob(kTenant, job)->model_id;
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  EXPECT_TRUE(absl::IsFailedPrecondition(catalogue_->DeleteModel(kTenant, model).status()));
  ASSERT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, "r", {{Blob('b'), "artifact"}}).ok());
  ASSERT_TRUE(catalogue_->DeleteModel(kTenant, model).ok());
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->model_id, model);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->result_blob, "r");
  EXPECT_EQ(*catalogue_->DeleteJob(kTenant, job), (std::vector<std::string>{"artifact"}));
}

TEST_P(CatalogueTest, AnUploadThatNoModelNeedsIsForgotten) {
  const auto first = catalogue_->CreateModel(kTenant, "1", {{"a", Blob('c')}}, "");
  const auto second = catalogue_->CreateModel(kTenant, "2", {{"b", Blob('c')}}, "");
  const auto upload = catalogue_->BeginUpload(kTenant, Blob('c'));
  EXPECT_EQ(catalogue_->GetUpload(kTenant, upload->id)->path, "a");
  EXPECT_EQ(catalogue_->FindUpload(kTenant, Blob('c'))->id, upload->id);
  EXPECT_TRUE(catalogue_->DeleteModel(kTenant, first->id)->upload_ids.empty());
  EXPECT_EQ(catalogue_->DeleteModel(kTenant, second->id)->upload_ids, (std::vector<std::string>{upload->id}));
  EXPECT_TRUE(absl::IsNotFound(catalogue_->GetUpload(kTenant, upload->id).status()));
}

TEST_P(CatalogueTest, TellsWhichObjectsAndUploadsItDoesNotKnow) {
  Upload(Blob('a'));
  const std::string known = *catalogue_->FindBlob(kTenant, Blob('a'));
  EXPECT_EQ(*catalogue_->UnknownObjects({known, "blobs/x"}), (std::vector<std::string>{"blobs/x"}));
  ASSERT_TRUE(catalogue_->CreateModel(kTenant, "m", {{"a", Blob('c')}}, "").ok());
  const auto needed = catalogue_->BeginUpload(kTenant, Blob('c'));
  const auto orphan = catalogue_->BeginUpload(kTenant, Blob('d'));
  EXPECT_EQ(*catalogue_->CollectUploads({needed->id, orphan->id, "x"}),
            (std::vector<std::string>{orphan->id, "x"}));
}

TEST_P(CatalogueTest, OneRequestIdIsForOneRequest) {
  const auto model = catalogue_->CreateModel(kTenant, "m", {{"a", Blob('c')}}, "id");
  EXPECT_EQ(catalogue_->CreateModel(kTenant, "m", {{"a", Blob('c')}}, "id")->id, model->id);
  EXPECT_EQ(FieldOf(catalogue_->CreateModel(kTenant, "m", {{"b", Blob('c')}}, "id").status()), "request_id");
  EXPECT_EQ(FieldOf(catalogue_->CreateModel(kTenant, "n", {{"a", Blob('c')}}, "id").status()), "request_id");
  const std::string ready = ReadyModel();
  const auto job = catalogue_->CreateJob(kTenant, {ready, "targets", {{"a", "b"}}, "id"});
  EXPECT_EQ(catalogue_->CreateJob(kTenant, {ready, "targets", {{"a", "b"}}, "id"})->id, job->id);
  EXPECT_EQ(FieldOf(catalogue_->CreateJob(kTenant, {ready, "targets", {}, "id"}).status()), "request_id");
  EXPECT_EQ(FieldOf(catalogue_->CreateJob(kTenant, {ready, "others", {{"a", "b"}}, "id"}).status()),
            "request_id");
}

TEST_P(CatalogueTest, ErrorsKeepTheirField) {
  const std::string job = QueuedJob();
  const LeaseRecord quantize = Lease(TaskKind::kQuantize);
  const absl::Status error = WithField(absl::InvalidArgumentError("no such type"), "targets[0].options[t]");
  ASSERT_TRUE(catalogue_->FailTask(quantize.task.id, quantize.token, error).ok());
  Reopen();
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->error_field, "targets[0].options[t]");
  const std::string plan = *catalogue_->QueuePlan(kTenant, ReadyModel(), "targets");
  const LeaseRecord lease = Lease(TaskKind::kPlan);
  ASSERT_TRUE(catalogue_->FailTask(lease.task.id, lease.token, error).ok());
  EXPECT_EQ(FieldOf(catalogue_->TakePlan(plan).status()), "targets[0].options[t]");
}

TEST_P(CatalogueTest, AWorkerThatIsGoneLosesItsTasksAtOnce) {
  const std::string job = QueuedJob();
  Lease(TaskKind::kQuantize);
  EXPECT_EQ(*catalogue_->LoseWorker("another", "gone"), 0);
  EXPECT_EQ(*catalogue_->LoseWorker("worker", "its worker was killed by signal 9"), 1);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kQueued);
  Lease(TaskKind::kQuantize);
  EXPECT_EQ(*catalogue_->LoseWorker("worker", "its worker was killed by signal 9"), 1);
  EXPECT_EQ(catalogue_->GetJob(kTenant, job)->error, "its worker was killed by signal 9; tried 2 times");
}

TEST_P(CatalogueTest, ATaskThatAStoppingWorkerGivesBackHasNotBeenTried) {
  const std::string job = QueuedJob();
  std::vector<RetryReason> reasons;
  catalogue_->SetListener({.on_job_event =
                               [&](const JobNews& news) {
                                 if (news.type == EventType::kRetrying) reasons.push_back(news.retry_reason);
                               },
                           .on_job_changed = {},
                           .on_task_queued = {},
                           .on_plan_finished = {},
                           .on_missed = {}});
  for (int i = 0; i < 5; ++i) {
    const LeaseRecord lease = Lease(TaskKind::kQuantize);
    EXPECT_EQ(lease.attempt, 1);
    ASSERT_TRUE(catalogue_->FailTask(lease.task.id, lease.token, absl::AbortedError("stopping")).ok());
    EXPECT_EQ(catalogue_->GetJob(kTenant, job)->state, JobState::kQueued);
  }
  EXPECT_EQ(reasons, std::vector<RetryReason>(5, RetryReason::kWorkerStopping));
}

TEST_P(CatalogueTest, ArtifactsAreUnusedUnlessAJobHasThemOrALeaseWritesThem) {
  const std::string job = QueuedJob();
  const LeaseRecord lost = Lease(TaskKind::kQuantize);
  Advance(absl::Seconds(10));
  ASSERT_EQ(*catalogue_->ExpireLeases(), 1);
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  const auto key = [&](int64_t token) { return "artifacts/" + job + "/" + std::to_string(token) + "/file"; };
  const std::vector<std::string> keys = {key(lost.token), key(lease.token)};
  EXPECT_EQ(*catalogue_->UnusedArtifacts(keys), (std::vector<std::string>{key(lost.token)}));
  ASSERT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, "", {{Blob('b'), key(lease.token)}}).ok());
  EXPECT_EQ(*catalogue_->UnusedArtifacts(keys), (std::vector<std::string>{key(lost.token)}));
  // What is garbage goes as such, when its grace has passed.
  ASSERT_TRUE(catalogue_->DeleteJob(kTenant, job).ok());
  EXPECT_EQ(*catalogue_->UnusedArtifacts(keys), (std::vector<std::string>{key(lost.token)}));
  ASSERT_TRUE(catalogue_->ForgetGarbage({key(lease.token)}).ok());
  EXPECT_EQ(*catalogue_->UnusedArtifacts(keys), keys);
}

TEST_P(CatalogueTest, CountsJobsAndBytes) {
  const absl::Time begin = database_->clock().Now();
  const std::string model = catalogue_->GetJob(kTenant, QueuedJob())->model_id;
  Advance(absl::Seconds(1));
  ASSERT_TRUE(catalogue_->CreateJob(kTenant, {model, "t", {}, ""}).ok());
  ASSERT_TRUE(catalogue_->BeginUpload(kTenant, Blob('c')).ok());
  auto statistics = catalogue_->Statistics();
  ASSERT_TRUE(statistics.ok()) << statistics.status();
  EXPECT_EQ(statistics->jobs, (std::map<JobState, int64_t>{{JobState::kQueued, 2}}));
  EXPECT_EQ(statistics->oldest_queued_job, begin);
  EXPECT_EQ(statistics->source_bytes, 10);
  EXPECT_EQ(statistics->upload_bytes, 10);
  const LeaseRecord lease = Lease(TaskKind::kQuantize);
  EXPECT_EQ(catalogue_->Statistics()->busy_workers, (std::vector<std::string>{"worker"}));
  ASSERT_TRUE(catalogue_->CompleteJob(lease.task.id, lease.token, "", {{Blob('b'), "artifact"}}).ok());
  statistics = catalogue_->Statistics();
  EXPECT_EQ(statistics->jobs,
            (std::map<JobState, int64_t>{{JobState::kQueued, 1}, {JobState::kSucceeded, 1}}));
  EXPECT_EQ(statistics->artifact_bytes, 10);
  EXPECT_TRUE(statistics->busy_workers.empty());
}

TEST_P(CatalogueTest, TellsItsListenerAfterTheTransaction) {
  std::vector<std::string> events, changed;
  int queued = 0;
  catalogue_->SetListener(
      {.on_job_event =
           [&](const JobNews& news) { events.push_back(catalogue_->GetJob(kTenant, news.job_id)->id); },
       .on_job_changed = [&](const std::string& job) { changed.push_back(job); },
       .on_task_queued = [&] { ++queued; },
       .on_plan_finished = {},
       .on_missed = {}});
  const std::string job = QueuedJob();
  EXPECT_EQ(events, (std::vector<std::string>{job}));
  EXPECT_EQ(changed, events);
  EXPECT_EQ(queued, 2);
}

TEST_P(CatalogueTest, ManyThreadsLeaseEachTaskOnce) {
  const std::string model = ReadyModel();
  constexpr int kJobs = 40, kThreads = 4;
  for (int i = 0; i < kJobs; ++i) ASSERT_TRUE(catalogue_->CreateJob(kTenant, {model, "t", {}, ""}).ok());
  std::vector<std::vector<LeaseRecord>> leased(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : leased) {
    threads.emplace_back([&] {
      for (;;) {
        auto lease = catalogue_->LeaseTask({TaskKind::kQuantize}, "worker", kEngine);
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

TEST_P(CatalogueTest, WorkersAreKnownForAsLongAsTheyReport) {
  const auto names = [&] {
    std::vector<std::string> found;
    const std::vector<WorkerRecord> workers = *catalogue_->ListWorkers(absl::Minutes(1));
    for (const WorkerRecord& worker : workers)
      found.push_back(
          absl::StrCat(worker.id, " ", worker.engine_blob, " ", absl::ToInt64Seconds(worker.silence)));
    return found;
  };
  ASSERT_TRUE(catalogue_->ReportWorker("a", "old").ok());
  database_->Advance(absl::Seconds(30));
  ASSERT_TRUE(catalogue_->ReportWorker("b", "new").ok());
  EXPECT_EQ(names(), (std::vector<std::string>{"b new 0", "a old 30"}));
  database_->Advance(absl::Seconds(40));
  EXPECT_EQ(names(), (std::vector<std::string>{"b new 40"}));
  ASSERT_TRUE(catalogue_->ReportWorker("a", "new").ok());
  ASSERT_TRUE(catalogue_->ForgetWorker("b").ok());
  EXPECT_EQ(names(), (std::vector<std::string>{"a new 0"}));
}

INSTANTIATE_TEST_SUITE_P(Databases, CatalogueTest, testing::ValuesIn(kDatabaseKinds), NameOf);

}  // namespace
}  // namespace quantd
