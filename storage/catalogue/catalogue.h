// Models, uploads, jobs, events and leases, in SQLite: WAL mode, one connection, foreign keys on, every
// method one transaction. Safe for concurrent use. Errors: NOT_FOUND carries the resource,
// FAILED_PRECONDITION the subject (base/status.h), RESOURCE_EXHAUSTED a full disk.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "storage/catalogue/records.h"

namespace quantd {

class Database;

struct CatalogueOptions {
  int max_attempts = 3;  // of a job whose workers die
  absl::Duration lease = absl::Seconds(15);
};

// Called after the transaction, without locks held, possibly from several threads.
struct CatalogueListener {
  std::function<void(const JobNews&)> on_job_event;  // every event, once
  std::function<void()> on_task_queued;
  std::function<void(const std::string& task_id)> on_plan_finished;
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
  // Makes or migrates the database file at `path`. `clock` outlives the catalogue; leases expire by it.
  static absl::StatusOr<std::unique_ptr<Catalogue>> Open(const std::string& path, Clock& clock,
                                                         CatalogueOptions options);
  ~Catalogue();

  // Before any other call.
  void SetListener(CatalogueListener listener) { listener_ = std::move(listener); }

  // --- Blobs and uploads.
  // The object that holds a blob; NOT_FOUND when it is not complete.
  absl::StatusOr<std::string> FindBlob(const BlobId& blob);
  // The blob's upload, begun now if there is none.
  absl::StatusOr<UploadRecord> BeginUpload(const BlobId& blob);
  absl::StatusOr<UploadRecord> GetUpload(const std::string& id);
  // NOT_FOUND when none was begun.
  absl::StatusOr<UploadRecord> FindUpload(const BlobId& blob);
  // The blob is complete at `object_key`; models that have all files now are inspected.
  absl::Status FinishUpload(const std::string& id, const std::string& object_key);

  // --- Models.
  // A model with the same non-empty request_id is returned instead of a new one; INVALID_ARGUMENT when it was
  // made by another request. One whose files are all there is inspected.
  absl::StatusOr<ModelRecord> CreateModel(const std::string& display_name,
                                          const std::vector<ModelFileRecord>& files,
                                          const std::string& request_id);
  absl::StatusOr<ModelRecord> GetModel(const std::string& id);
  absl::StatusOr<Page<ModelRecord>> ListModels(int page_size, const std::string& page_token);
  // FAILED_PRECONDITION while a job that has not ended uses it. Returns what nothing needs any more.
  absl::StatusOr<Unneeded> DeleteModel(const std::string& id);

  // --- Jobs.
  // As CreateModel with respect to request_id.
  absl::StatusOr<JobRecord> CreateJob(const std::string& model_id, const std::string& targets_blob,
                                      const std::map<std::string, std::string>& labels,
                                      const std::string& request_id);
  absl::StatusOr<JobRecord> GetJob(const std::string& id);
  absl::StatusOr<Page<JobRecord>> ListJobs(const JobFilter& filter, int page_size,
                                           const std::string& page_token);
  // A queued job ends at once; a running one when its worker hears of it.
  absl::StatusOr<JobRecord> CancelJob(const std::string& id);
  // Returns the objects that nothing needs any more.
  absl::StatusOr<std::vector<std::string>> DeleteJob(const std::string& id);
  // In order, at most `limit`.
  absl::StatusOr<std::vector<EventRecord>> ListEvents(const std::string& job_id, int64_t after_revision,
                                                      int limit);

  // --- Work.
  // A task that plans a job and is gone once its result was taken.
  absl::StatusOr<std::string> QueuePlan(const std::string& model_id, const std::string& targets_blob);
  // The plan, or the planning error; nothing yet: UNAVAILABLE.
  absl::StatusOr<std::string> TakePlan(const std::string& task_id);
  // Nobody waits for that plan any more.
  absl::Status DropPlan(const std::string& task_id);
  // Nobody waits for any plan: after a start.
  absl::Status DropAllPlans();
  // The oldest queued task of one of the kinds, or nothing.
  absl::StatusOr<std::optional<LeaseRecord>> LeaseTask(const std::vector<TaskKind>& kinds,
                                                       const std::string& worker_id);
  // Renews the lease. True: the job's cancel was requested. FAILED_PRECONDITION: the token is stale.
  absl::StatusOr<bool> Heartbeat(const std::string& task_id, int64_t token,
                                 const std::optional<JobProgressRecord>& progress);
  absl::Status CompleteInspect(const std::string& task_id, int64_t token, const std::string& summary_blob);
  absl::Status CompletePlan(const std::string& task_id, int64_t token, const std::string& plan_blob);
  // Blobs that exist already keep their object; returns the keys that are not needed for that reason.
  absl::StatusOr<std::vector<std::string>> CompleteJob(const std::string& task_id, int64_t token,
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

  absl::StatusOr<CatalogueStatistics> Statistics();
  // Of objects under "artifacts/JOB/TOKEN/", those that no finished job has and no valid lease is writing.
  absl::StatusOr<std::vector<std::string>> UnusedArtifacts(const std::vector<std::string>& object_keys);
  // Those of `object_keys` that no blob has.
  absl::StatusOr<std::vector<std::string>> UnknownObjects(const std::vector<std::string>& object_keys);
  // Uploads whose blob no model needs are forgotten; returns those of `ids` that there are none of then.
  absl::StatusOr<std::vector<std::string>> CollectUploads(const std::vector<std::string>& ids);

 private:
  Catalogue(std::unique_ptr<Database> database, Clock& clock, CatalogueOptions options);

  // Runs `body` (which returns a Status or StatusOr) in one transaction and tells the listener afterwards.
  template <typename Body>
  auto Transact(Body body) -> decltype(body()) {
    Notifications notifications;
    decltype(body()) result = [&]() -> decltype(body()) {
      std::lock_guard lock(mutex_);
      if (absl::Status status = Begin(); !status.ok()) return status;
      decltype(body()) inner = body();
      const bool committing = StatusOf(inner).ok();
      absl::Status ended = End(committing);
      Notifications pending = std::exchange(pending_, {});
      // What went wrong in the body says more than a rollback that SQLite had done itself.
      if (committing && !ended.ok()) return ended;
      if (committing) notifications = std::move(pending);
      return inner;
    }();
    Notify(notifications);
    return result;
  }
  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  template <typename T>
  static const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
    return result.status();
  }
  struct Notifications {
    std::vector<JobNews> jobs;
    std::vector<std::string> plans;
    bool task_queued = false;
  };
  absl::Status Begin();
  absl::Status End(bool commit);
  void Notify(const Notifications& notifications);

  // The rest runs inside a transaction.
  absl::StatusOr<TaskRecord> CheckToken(const std::string& task_id, int64_t token);
  absl::Status InspectIfComplete(const std::string& model_id);
  absl::Status EndTask(const TaskRecord& task, const absl::Status& error);
  // Of leased tasks with that condition on one parameter.
  template <typename Value>
  absl::StatusOr<int> LoseTasks(const std::string& condition, const Value& value, const std::string& reason);
  absl::Status Requeue(const TaskRecord& task, RetryReason reason, const std::string& message);
  absl::Status EndJob(const std::string& job_id, JobState state, const absl::Status& error);
  absl::Status RemoveTask(const std::string& task_id);
  absl::Status AddEvent(const std::string& job_id, EventType type, const std::string& message,
                        RetryReason retry_reason = RetryReason::kNone);
  absl::StatusOr<ModelRecord> ReadModel(const std::string& id);
  absl::StatusOr<JobRecord> ReadJob(const std::string& id);
  // Forgets the blobs that no model and no job needs; returns their keys.
  absl::StatusOr<std::vector<std::string>> CollectBlobs();
  // Forgets the uploads whose blob no model needs; returns their ids.
  absl::StatusOr<std::vector<std::string>> DropUploads();
  absl::Status QueueTask(const TaskRecord& task);

  std::unique_ptr<Database> database_;
  Clock& clock_;
  const CatalogueOptions options_;
  CatalogueListener listener_;
  std::mutex mutex_;
  Notifications pending_;  // of the transaction that runs
};

}  // namespace quantd
