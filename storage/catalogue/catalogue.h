// Models, uploads, jobs, events, leases and tokens, in SQLite or PostgreSQL; every method is one transaction.
// Safe for concurrent use, and with PostgreSQL by several servers. Errors: NOT_FOUND carries the resource,
// FAILED_PRECONDITION the subject (base/status.h), RESOURCE_EXHAUSTED is a quota (base/quota.h) or a full
// disk, UNAVAILABLE a database that does not answer.
//
// What a tenant's callers reach takes the tenant first. Another tenant's record is NOT_FOUND, in the same
// words as one that never was; the same blob of two tenants is two blobs. What workers and the server itself
// need sees all tenants.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/status.h"
#include "storage/catalogue/database.h"
#include "storage/catalogue/records.h"

namespace quantd {

struct CatalogueOptions {
  int max_attempts = 3;  // of a job whose workers die
  absl::Duration lease = absl::Seconds(15);
  // Of each tenant; called within transactions, from any thread. None: no tenant has limits.
  std::function<TenantLimits(const std::string& tenant)> limits_of{};
};

// Called after the transaction, without locks held, possibly from several threads.
struct CatalogueListener {
  // Every event that a call of this object made, once.
  std::function<void(const JobNews&)> on_job_event;
  // What has happened here, and in other servers of the same database.
  std::function<void(const std::string& job_id)> on_job_changed;
  std::function<void()> on_task_queued;
  std::function<void(const std::string& task_id)> on_plan_finished;
  // Any of the three above may have happened elsewhere: the connection to the database is new.
  std::function<void()> on_missed;
};

struct JobFilter {
  std::optional<JobState> state;
  std::string model_id;
  std::map<std::string, std::string> labels;
};

template <typename Record>
struct Page {
  std::vector<Record> records;  // newest first
  std::string next_token;       // empty on the last page
};

class Catalogue {
 public:
  // As OpenDatabase (database.h). Leases expire by the database's clock.
  static absl::StatusOr<std::unique_ptr<Catalogue>> Open(const std::string& address, Clock& clock,
                                                         CatalogueOptions options);
  ~Catalogue();

  // Once, before calls of other threads.
  void SetListener(CatalogueListener listener);
  // The listener hears no more of other servers; waits for a call that runs.
  void StopListening() { database_->StopListening(); }

  // --- Blobs and uploads.
  // The object that holds a blob; NOT_FOUND when it is not complete. UseBlob is for those who fetch it: the
  // jobs whose artifact it is are in use.
  absl::StatusOr<std::string> FindBlob(const std::string& tenant, const BlobId& blob);
  absl::StatusOr<std::string> UseBlob(const std::string& tenant, const BlobId& blob);
  // The blob's upload, begun now if there is none.
  absl::StatusOr<UploadRecord> BeginUpload(const std::string& tenant, const BlobId& blob);
  absl::StatusOr<UploadRecord> GetUpload(const std::string& tenant, const std::string& id);
  // NOT_FOUND when none was begun.
  absl::StatusOr<UploadRecord> FindUpload(const std::string& tenant, const BlobId& blob);
  // A stream of it begins or ends: the models that need it are in use.
  absl::Status UseUpload(const std::string& tenant, const std::string& id);
  // The blob is complete at `object_key`; models that have all files now are inspected.
  absl::Status FinishUpload(const std::string& tenant, const std::string& id, const std::string& object_key);

  // --- Models.
  // A model with the same non-empty request_id is returned instead of a new one; INVALID_ARGUMENT when it was
  // made by another request. One whose files are all there is inspected.
  absl::StatusOr<ModelRecord> CreateModel(const std::string& tenant, const std::string& display_name,
                                          const std::vector<ModelFileRecord>& files,
                                          const std::string& request_id);
  absl::StatusOr<ModelRecord> GetModel(const std::string& tenant, const std::string& id);
  absl::StatusOr<Page<ModelRecord>> ListModels(const std::string& tenant, int page_size,
                                               const std::string& page_token);
  // FAILED_PRECONDITION while a job that has not ended uses it. Returns what nothing needs any more.
  absl::StatusOr<Unneeded> DeleteModel(const std::string& tenant, const std::string& id);

  // --- Jobs.
  // As CreateModel with respect to request_id. The job is queued, or has succeeded when an earlier one of the
  // tenant's with the same sources (display name, paths and blobs of the model), recipe and engine has.
  absl::StatusOr<JobRecord> CreateJob(const std::string& tenant, const NewJob& job);
  absl::StatusOr<JobRecord> GetJob(const std::string& tenant, const std::string& id);
  absl::StatusOr<Page<JobRecord>> ListJobs(const std::string& tenant, const JobFilter& filter, int page_size,
                                           const std::string& page_token);
  // A queued job ends at once; a running one when its worker hears of it.
  absl::StatusOr<JobRecord> CancelJob(const std::string& tenant, const std::string& id);
  // Returns the objects that nothing needs any more.
  absl::StatusOr<std::vector<std::string>> DeleteJob(const std::string& tenant, const std::string& id);
  // In order, at most `limit`.
  absl::StatusOr<std::vector<EventRecord>> ListEvents(const std::string& tenant, const std::string& job_id,
                                                      int64_t after_revision, int limit);

  // --- Work.
  // A task that plans a job and is gone once its result was taken.
  absl::StatusOr<std::string> QueuePlan(const std::string& tenant, const std::string& model_id,
                                        const std::string& targets_blob);
  // The plan, or the planning error; nothing yet: UNAVAILABLE.
  absl::StatusOr<std::string> TakePlan(const std::string& task_id);
  // Nobody waits for that plan any more.
  absl::Status DropPlan(const std::string& task_id);
  // Nobody waits for any plan: after a start. Plans of other servers that share the database stay.
  absl::Status DropAllPlans();
  // A queued task of one of the kinds, or nothing: short ones first, tenants in fair turns by their weights,
  // those of one tenant by priority, then by age. Jobs of a tenant that runs as many as it may wait.
  absl::StatusOr<std::optional<LeaseRecord>> LeaseTask(const std::vector<TaskKind>& kinds,
                                                       const std::string& worker_id,
                                                       const std::string& engine_version);
  // Renews the lease. True: the job's cancel was requested. FAILED_PRECONDITION: the token is stale.
  absl::StatusOr<bool> Heartbeat(const std::string& task_id, int64_t token,
                                 const std::optional<JobProgressRecord>& progress);
  absl::Status CompleteInspect(const std::string& task_id, int64_t token, const std::string& summary_blob);
  absl::Status CompletePlan(const std::string& task_id, int64_t token, const std::string& plan_blob);
  // A job whose artifacts are more than its tenant may store fails.
  absl::StatusOr<JobCompletion> CompleteJob(const std::string& task_id, int64_t token,
                                            const std::string& result_blob,
                                            const std::vector<ArtifactRecord>& artifacts);
  // INVALID_ARGUMENT, FAILED_PRECONDITION, RESOURCE_EXHAUSTED and CANCELLED are final. ABORTED: its worker
  // stops and gives it back, and that try does not count. Others are retried up to the limit. A field that
  // the error carries (base/status.h) is kept.
  absl::Status FailTask(const std::string& task_id, int64_t token, const absl::Status& error);
  // Queues the tasks whose lease ran out again, or fails them. How many.
  absl::StatusOr<int> ExpireLeases();
  // The same for all tasks of a worker that is known to be gone, with the reason.
  absl::StatusOr<int> LoseWorker(const std::string& worker_id, const std::string& reason);

  // --- Bearer tokens, of all tenants.
  // `create_time` is set.
  absl::StatusOr<TokenRecord> CreateToken(TokenRecord token);
  // Revoked and expired ones, too.
  absl::StatusOr<TokenRecord> GetToken(const std::string& id);
  absl::StatusOr<Page<TokenRecord>> ListTokens(int page_size, const std::string& page_token);
  // One that is revoked already keeps its time.
  absl::StatusOr<TokenRecord> RevokeToken(const std::string& id);

  absl::StatusOr<CatalogueStatistics> Statistics();
  // The upload of that id, whoever's.
  absl::StatusOr<UploadRecord> UploadOfAny(const std::string& id);
  // Forgets what retention does not keep and what nothing needs; never what a job that has not ended needs.
  // With `dry_run` nothing changes: what would go.
  absl::StatusOr<Collection> Collect(const Retention& retention, bool dry_run);
  // Objects that have been needed by nothing for at least `grace`, to be removed; they stay on the list until
  // ForgetGarbage. What DeleteModel and DeleteJob return is on it, too.
  absl::StatusOr<std::vector<std::string>> Garbage(absl::Duration grace);
  absl::Status ForgetGarbage(const std::vector<std::string>& object_keys);
  // Of objects under "artifacts/JOB/TOKEN/", those that no finished job has, that are not garbage, and that
  // no valid lease is writing.
  absl::StatusOr<std::vector<std::string>> UnusedArtifacts(const std::vector<std::string>& object_keys);
  // Those of `object_keys` that no blob has and that are not garbage.
  absl::StatusOr<std::vector<std::string>> UnknownObjects(const std::vector<std::string>& object_keys);
  // Uploads whose blob no model needs are forgotten; returns those of `ids` that there are none of then.
  absl::StatusOr<std::vector<std::string>> CollectUploads(const std::vector<std::string>& ids);

 private:
  // What happened in a transaction, for listeners.
  struct News {
    std::vector<JobNews> jobs;
    std::vector<std::string> plans;
    bool task_queued = false;
  };
  // A transaction that changes something.
  struct Change {
    Transaction& sql;
    News news;
  };

  Catalogue(std::unique_ptr<Database> database, CatalogueOptions options);

  // Runs `body` (which returns a Status or StatusOr) in one transaction, again when the database took it
  // back, and tells the listener afterwards.
  template <typename Body>
  auto Transact(Body body) -> std::invoke_result_t<Body, Change&> {
    using Result = std::invoke_result_t<Body, Change&>;
    News news;
    Result result = Repeat([&]() -> Result {
      ASSIGN_OR_RETURN(const std::unique_ptr<Transaction> transaction, database_->Begin());
      Change change{*transaction, {}};
      Result inner = body(change);
      RETURN_IF_ERROR(StatusOf(inner));
      RETURN_IF_ERROR(Publish(change));
      RETURN_IF_ERROR(transaction->Commit());
      news = std::move(change.news);
      return inner;
    });
    Notify(news);
    return result;
  }
  // The same for a transaction that only reads.
  template <typename Body>
  auto Read(Body body) -> std::invoke_result_t<Body, Transaction&> {
    using Result = std::invoke_result_t<Body, Transaction&>;
    return Repeat([&]() -> Result {
      ASSIGN_OR_RETURN(const std::unique_ptr<Transaction> transaction, database_->BeginRead());
      return body(*transaction);
    });
  }
  template <typename Once>
  static auto Repeat(Once once) -> std::invoke_result_t<Once> {
    constexpr int kMostTries = 5;
    for (int tries = 1;; ++tries) {
      std::invoke_result_t<Once> result = once();
      const absl::Status& status = StatusOf(result);
      if (!absl::IsAborted(status)) return result;
      if (tries == kMostTries) return absl::UnavailableError(status.message());
    }
  }
  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  template <typename T>
  static const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
    return result.status();
  }
  // To other servers, when the transaction is committed.
  static absl::Status Publish(const Change& change);
  void Notify(const News& news);
  void HearPublication(std::string_view message);

  // Locks, taken in this order, so that no two transactions wait for each other:
  //   1. the content lock: held by whatever makes or removes models, blobs, uploads and artifacts, since what
  //      nothing needs any more is a question about all of them;
  //   2. the queue's lock: held by what gives out a lease, so that every turn counts for the next one;
  //   3. tasks, the oldest first: held by whatever changes a task, or the job or model that it works on;
  //   4. a model that must not go, then a job;
  //   5. a tenant's share of the queue;
  //   6. the counter of fencing tokens, last, because all leases want it.
  // Events are numbered under the lock of their job, so there is no gap.
  static absl::Status LockContent(Change& change);
  static absl::Status LockQueue(Change& change);
  // Tasks whose `column` has that value.
  static absl::Status LockTasks(Change& change, const char* column, const std::string& value);
  static absl::Status LockModel(Change& change, const std::string& id);
  static absl::Status LockJob(Change& change, const std::string& id);

  // The rest runs inside a transaction. The task with this token, locked.
  static absl::StatusOr<TaskRecord> CheckToken(Change& change, const std::string& task_id, int64_t token);
  static absl::Status InspectIfComplete(Change& change, const std::string& tenant,
                                        const std::string& model_id);
  // The model is locked.
  static absl::Status UseModel(Change& change, const std::string& id);
  static absl::Status InsertJob(Change& change, const std::string& tenant, const std::string& id,
                                const NewJob& job, const std::string& action);
  // The new job ends with what `earlier` has.
  static absl::Status EndAsEarlier(Change& change, const std::string& id, const std::string& earlier);
  static absl::Status EndTask(Change& change, const TaskRecord& task, const absl::Status& error);
  // Of leased tasks with that condition on one parameter.
  template <typename Value>
  absl::StatusOr<int> LoseTasks(Change& change, const char* condition, const Value& value,
                                const std::string& reason) const;
  absl::Status Requeue(Change& change, const TaskRecord& task, RetryReason reason,
                       const std::string& message) const;
  static absl::Status EndJob(Change& change, const std::string& job_id, JobState state,
                             const absl::Status& error);
  static absl::Status RemoveTask(Change& change, const std::string& task_id);
  static absl::Status AddEvent(Change& change, const std::string& job_id, EventType type,
                               const std::string& message, RetryReason retry_reason = RetryReason::kNone);
  static absl::StatusOr<UploadRecord> ReadUpload(Transaction& sql, const std::string& id);
  // Whoever's, and the tenant's alone.
  static absl::StatusOr<ModelRecord> ReadModel(Transaction& sql, const std::string& id);
  static absl::StatusOr<ModelRecord> ReadModelOf(Transaction& sql, const std::string& tenant,
                                                 const std::string& id);
  static absl::StatusOr<JobRecord> ReadJob(Transaction& sql, const std::string& id);
  static absl::StatusOr<TokenRecord> ReadToken(Transaction& sql, const std::string& id);
  static absl::StatusOr<JobRecord> ReadJobOf(Transaction& sql, const std::string& tenant,
                                             const std::string& id);
  // Blobs that no model and no job of their tenant needs become garbage.
  struct Dropped {
    std::vector<std::string> object_keys;
    int64_t bytes = 0;
  };
  static absl::StatusOr<Dropped> CollectBlobs(Change& change);
  static absl::StatusOr<Collection> CollectIn(Change& change, const Retention& retention);
  // Forgets the uploads whose blob no model needs; returns their ids.
  static absl::StatusOr<std::vector<std::string>> DropUploads(Change& change);
  static absl::Status QueueTask(Change& change, const TaskRecord& task);
  static absl::Status LockJobShare(Change& change, const std::string& tenant);
  TenantLimits LimitsOf(const std::string& tenant) const;
  // Of blobs, and of files that models still miss.
  static absl::StatusOr<int64_t> StoredBytes(Transaction& sql, const std::string& tenant);
  // RESOURCE_EXHAUSTED (base/quota.h) unless the tenant may store so many more bytes than it does; unless it
  // may have one more job in the queue.
  absl::Status CheckStoredBytes(Transaction& sql, const std::string& tenant, int64_t more) const;
  absl::Status CheckQueuedJobs(Change& change, const std::string& tenant) const;
  absl::StatusOr<bool> MayRunMore(Transaction& sql, const std::string& tenant) const;
  // Of the lease's job, if it has one.
  static absl::Status StartJob(Change& change, const LeaseRecord& lease, const std::string& engine_version);
  // The task gets its next token, which `lease` gets too, and is the worker's.
  absl::Status GiveLease(Change& change, LeaseRecord& lease, const std::string& worker_id) const;

  const CatalogueOptions options_;
  CatalogueListener listener_;
  std::unique_ptr<Database> database_;  // its thread calls the listener
};

}  // namespace quantd
