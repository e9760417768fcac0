#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/random_id.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"
#include "storage/catalogue/task_row.h"

namespace quantd {
namespace {

// A finished plan is taken at once, unless its client is gone.
constexpr absl::Duration kPlanRetention = absl::Minutes(1);

// Errors that another try would meet again.
bool IsFinal(const absl::Status& error) {
  return absl::IsInvalidArgument(error) || absl::IsFailedPrecondition(error) ||
         absl::IsResourceExhausted(error) || absl::IsCancelled(error);
}

RetryReason ReasonOf(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kAborted:
      return RetryReason::kWorkerStopping;
    case absl::StatusCode::kUnavailable:
      return RetryReason::kUnavailable;
    case absl::StatusCode::kInternal:
      return RetryReason::kInternal;
    default:
      return RetryReason::kOther;
  }
}

// Workers quote strange files, and PostgreSQL keeps no NUL in a text.
absl::Status WithoutNuls(const absl::Status& error) {
  const std::string message = absl::StrReplaceAll(error.message(), {{absl::string_view("\0", 1), "\\0"}});
  return WithField(absl::Status(error.code(), message), FieldOf(error).value_or(""));
}

// As the worker reported it.
absl::Status StoredError(int64_t code, const std::string& message, const std::string& field,
                         const std::string& model_id) {
  const auto known = static_cast<absl::StatusCode>(code);
  if (known == absl::StatusCode::kFailedPrecondition)
    return PreconditionFailed(absl::StrCat("models/", model_id), message);
  return WithField(absl::Status(known, message), field);
}

// Of those artifacts that are no blobs of the tenant yet.
absl::StatusOr<int64_t> BytesOfNew(Transaction& sql, const std::string& tenant,
                                   const std::vector<ArtifactRecord>& artifacts) {
  std::set<std::pair<std::string, int64_t>> seen;
  int64_t bytes = 0;
  for (const ArtifactRecord& artifact : artifacts) {
    const BlobId& blob = artifact.blob;
    if (!seen.insert({blob.sha256, blob.size}).second) continue;
    auto find = sql.Prepare("SELECT 1 FROM blobs WHERE tenant=? AND sha256=? AND size=?");
    find->BindAll(tenant, blob.sha256, blob.size);
    ASSIGN_OR_RETURN(const bool known, find->Step());
    if (!known) bytes += blob.size;
  }
  return bytes;
}

// Blobs that exist already keep their object; returns the keys that are not needed for that reason.
absl::StatusOr<std::vector<std::string>> KeepArtifacts(Transaction& sql, const TaskRecord& task,
                                                       const std::vector<ArtifactRecord>& artifacts) {
  std::vector<std::string> superfluous;
  for (const auto& [blob, key] : artifacts) {
    auto insert = sql.Prepare("INSERT INTO blobs VALUES (?,?,?,?) ON CONFLICT DO NOTHING RETURNING sha256");
    ASSIGN_OR_RETURN(const std::vector<std::string> added,
                     insert->BindAll(blob.sha256, blob.size, key, task.tenant).Texts());
    if (added.empty()) superfluous.push_back(key);
    RETURN_IF_ERROR(sql.Prepare("INSERT INTO job_artifacts VALUES (?,?,?) ON CONFLICT DO NOTHING")
                        ->BindAll(task.job_id, blob.sha256, blob.size)
                        .Run());
  }
  return superfluous;
}

// Whether a lease ends by `time`, or has; that of a finished plan counts.
absl::StatusOr<bool> HasLeaseUntil(Transaction& sql, absl::Time time) {
  auto first = sql.Prepare("SELECT min(expires) FROM tasks WHERE token IS NOT NULL");
  RETURN_IF_ERROR(first->Step().status());
  return !first->IsNull(0) && first->Integer(0) <= absl::ToUnixMicros(time);
}

}  // namespace

absl::StatusOr<std::string> Catalogue::QueuePlan(const std::string& tenant, const std::string& model_id,
                                                 const std::string& targets_blob) {
  return Transact([&](Change& change) -> absl::StatusOr<std::string> {
    RETURN_IF_ERROR(LockModel(change, model_id));
    ASSIGN_OR_RETURN(ModelRecord model, ReadModelOf(change.sql, tenant, model_id));
    if (model.state != ModelState::kReady)
      return PreconditionFailed(absl::StrCat("models/", model_id), "is not READY");
    RETURN_IF_ERROR(UseModel(change, model_id));
    const std::string id = RandomId();
    RETURN_IF_ERROR(QueueTask(change, {id, tenant, TaskKind::kPlan, model_id, "", targets_blob}));
    return id;
  });
}

absl::StatusOr<std::string> Catalogue::TakePlan(const std::string& task_id) {
  absl::Status error;
  absl::StatusOr<std::string> result = Transact([&](Change& change) -> absl::StatusOr<std::string> {
    error = absl::OkStatus();
    // A plan that is not finished is not locked, so that a worker can lease it meanwhile.
    auto take = change.sql.Prepare(
        "DELETE FROM tasks WHERE id=? AND finished=1"
        " RETURNING result, error_code, error, error_field, model_id");
    take->BindAll(task_id);
    ASSIGN_OR_RETURN(const bool taken, take->Step());
    if (!taken) {
      auto find = change.sql.Prepare("SELECT id FROM tasks WHERE id=?");
      find->BindAll(task_id);
      ASSIGN_OR_RETURN(const bool found, find->Step());
      if (!found) return ResourceNotFound("plan", task_id);
      return absl::UnavailableError("the plan is not finished");
    }
    if (take->Integer(1) != 0)
      error = StoredError(take->Integer(1), take->Text(2), take->Text(3), take->Text(4));
    std::string plan = take->Text(0);
    RETURN_IF_ERROR(take->Run());
    return plan;
  });
  RETURN_IF_ERROR(result.status());
  RETURN_IF_ERROR(error);
  return result;
}

absl::StatusOr<TaskRecord> Catalogue::CheckToken(Change& change, const std::string& task_id, int64_t token) {
  auto find = change.sql.Prepare(absl::StrCat("SELECT ", kTaskColumns,
                                              " FROM tasks WHERE id=? AND token=? AND finished=0",
                                              change.sql.dialect().lock_rows));
  find->BindAll(task_id, token);
  ASSIGN_OR_RETURN(bool found, find->Step());
  if (!found)
    return PreconditionFailed(absl::StrCat("tasks/", task_id), "is not leased with this token any more");
  return ReadTask(*find);
}

absl::StatusOr<bool> Catalogue::Heartbeat(const std::string& task_id, int64_t token,
                                          const std::optional<JobProgressRecord>& progress) {
  return Transact([&](Change& change) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(TaskRecord task, CheckToken(change, task_id, token));
    RETURN_IF_ERROR(change.sql.Prepare("UPDATE tasks SET expires=? WHERE id=?")
                        ->BindAll(absl::ToUnixMicros(change.sql.Now() + options_.lease), task_id)
                        .Run());
    if (task.kind != TaskKind::kQuantize) return false;
    ASSIGN_OR_RETURN(JobRecord job, ReadJob(change.sql, task.job_id));
    if (progress.has_value() && *progress != job.progress) {
      RETURN_IF_ERROR(
          change.sql
              .Prepare("UPDATE jobs SET stage=?, tensors_done=?, tensors_total=?, bytes_done=?, bytes_total=?"
                       " WHERE id=?")
              ->BindAll(progress->stage, progress->tensors_done, progress->tensors_total,
                        progress->bytes_done, progress->bytes_total, task.job_id)
              .Run());
      RETURN_IF_ERROR(AddEvent(change, task.job_id, EventType::kProgress, ""));
    }
    return job.cancel_requested;
  });
}

absl::Status Catalogue::RemoveTask(Change& change, const std::string& task_id) {
  return change.sql.Prepare("DELETE FROM tasks WHERE id=?")->BindAll(task_id).Run();
}

absl::Status Catalogue::CompleteInspect(const std::string& task_id, int64_t token,
                                        const std::string& summary_blob) {
  return Transact([&](Change& change) -> absl::Status {
    ASSIGN_OR_RETURN(TaskRecord task, CheckToken(change, task_id, token));
    RETURN_IF_ERROR(change.sql.Prepare("UPDATE models SET state=?, summary=? WHERE id=?")
                        ->BindAll(static_cast<int64_t>(ModelState::kReady), summary_blob, task.model_id)
                        .Run());
    return RemoveTask(change, task_id);
  });
}

absl::Status Catalogue::CompletePlan(const std::string& task_id, int64_t token,
                                     const std::string& plan_blob) {
  return Transact([&](Change& change) -> absl::Status {
    RETURN_IF_ERROR(CheckToken(change, task_id, token).status());
    change.news.plans.push_back(task_id);
    return change.sql.Prepare("UPDATE tasks SET finished=1, result=? WHERE id=?")
        ->BindAll(plan_blob, task_id)
        .Run();
  });
}

absl::StatusOr<JobCompletion> Catalogue::CompleteJob(const std::string& task_id, int64_t token,
                                                     const std::string& result_blob,
                                                     const std::vector<ArtifactRecord>& artifacts) {
  return Transact([&](Change& change) -> absl::StatusOr<JobCompletion> {
    RETURN_IF_ERROR(LockContent(change));
    ASSIGN_OR_RETURN(const TaskRecord task, CheckToken(change, task_id, token));
    ASSIGN_OR_RETURN(const int64_t more, BytesOfNew(change.sql, task.tenant, artifacts));
    JobCompletion completion;
    completion.outcome = CheckStoredBytes(change.sql, task.tenant, more);
    if (absl::IsResourceExhausted(completion.outcome)) {
      for (const ArtifactRecord& artifact : artifacts) completion.superfluous.push_back(artifact.object_key);
      RETURN_IF_ERROR(EndTask(change, task, completion.outcome));
      return completion;
    }
    RETURN_IF_ERROR(completion.outcome);
    ASSIGN_OR_RETURN(completion.superfluous, KeepArtifacts(change.sql, task, artifacts));
    RETURN_IF_ERROR(
        change.sql.Prepare("UPDATE jobs SET result=? WHERE id=?")->BindAll(result_blob, task.job_id).Run());
    RETURN_IF_ERROR(RemoveTask(change, task_id));
    RETURN_IF_ERROR(EndJob(change, task.job_id, JobState::kSucceeded, absl::OkStatus()));
    return completion;
  });
}

absl::Status Catalogue::EndTask(Change& change, const TaskRecord& task, const absl::Status& error) {
  switch (task.kind) {
    case TaskKind::kInspect:
      RETURN_IF_ERROR(change.sql.Prepare("UPDATE models SET state=?, error_code=?, error=? WHERE id=?")
                          ->BindAll(static_cast<int64_t>(ModelState::kFailed),
                                    static_cast<int64_t>(error.raw_code()), std::string(error.message()),
                                    task.model_id)
                          .Run());
      return RemoveTask(change, task.id);
    case TaskKind::kPlan:
      change.news.plans.push_back(task.id);
      return change.sql
          .Prepare("UPDATE tasks SET finished=1, error_code=?, error=?, error_field=? WHERE id=?")
          ->BindAll(static_cast<int64_t>(error.raw_code()), std::string(error.message()),
                    FieldOf(error).value_or(""), task.id)
          .Run();
    case TaskKind::kQuantize:
      break;
  }
  RETURN_IF_ERROR(RemoveTask(change, task.id));
  return EndJob(change, task.job_id, absl::IsCancelled(error) ? JobState::kCancelled : JobState::kFailed,
                error);
}

absl::Status Catalogue::Requeue(Change& change, const TaskRecord& task, RetryReason reason,
                                const std::string& message) const {
  auto find = change.sql.Prepare("SELECT attempt FROM tasks WHERE id=?");
  find->BindAll(task.id);
  RETURN_IF_ERROR(find->Step().status());
  const int64_t attempt = find->Integer(0);
  bool cancelled = false;
  if (task.kind == TaskKind::kQuantize) {
    ASSIGN_OR_RETURN(JobRecord job, ReadJob(change.sql, task.job_id));
    cancelled = job.cancel_requested;
  }
  if (cancelled) return EndTask(change, task, absl::CancelledError("cancelled"));
  const bool counts = reason != RetryReason::kWorkerStopping;
  if (counts && attempt >= options_.max_attempts) {
    return EndTask(change, task, absl::AbortedError(absl::StrCat(message, "; tried ", attempt, " times")));
  }
  RETURN_IF_ERROR(
      change.sql.Prepare("UPDATE tasks SET token=NULL, worker_id=NULL, expires=NULL, attempt=? WHERE id=?")
          ->BindAll(counts ? attempt : attempt - 1, task.id)
          .Run());
  change.news.task_queued = true;
  if (task.kind != TaskKind::kQuantize) return absl::OkStatus();
  RETURN_IF_ERROR(change.sql.Prepare("UPDATE jobs SET state=? WHERE id=?")
                      ->BindAll(static_cast<int64_t>(JobState::kQueued), task.job_id)
                      .Run());
  return AddEvent(change, task.job_id, EventType::kRetrying, message, reason);
}

absl::Status Catalogue::FailTask(const std::string& task_id, int64_t token, const absl::Status& error) {
  return Transact([&](Change& change) -> absl::Status {
    ASSIGN_OR_RETURN(TaskRecord task, CheckToken(change, task_id, token));
    return IsFinal(error) ? EndTask(change, task, WithoutNuls(error))
                          : Requeue(change, task, ReasonOf(error), std::string(WithoutNuls(error).message()));
  });
}

template <typename Value>
absl::StatusOr<int> Catalogue::LoseTasks(Change& change, const char* condition, const Value& value,
                                         const std::string& reason) const {
  std::vector<TaskRecord> lost;
  auto find = change.sql.Prepare(
      absl::StrCat("SELECT ", kTaskColumns, " FROM tasks WHERE token IS NOT NULL AND finished=0 AND ",
                   condition, " ORDER BY sequence", change.sql.dialect().lock_rows));
  find->BindAll(value);
  for (;;) {
    ASSIGN_OR_RETURN(bool row, find->Step());
    if (!row) break;
    lost.push_back(ReadTask(*find));
  }
  for (const TaskRecord& task : lost)
    RETURN_IF_ERROR(Requeue(change, task, RetryReason::kWorkerLost, reason));
  return static_cast<int>(lost.size());
}

absl::StatusOr<int> Catalogue::ExpireLeases() {
  return Transact([&](Change& change) -> absl::StatusOr<int> {
    // Most calls find nothing, which the first entry of an index tells. What follows may read the whole
    // queue where PostgreSQL planned it while the queue was short.
    ASSIGN_OR_RETURN(const bool may_have_expired, HasLeaseUntil(change.sql, change.sql.Now()));
    if (!may_have_expired) return 0;
    ASSIGN_OR_RETURN(int expired, LoseTasks(change, "expires<=?", absl::ToUnixMicros(change.sql.Now()),
                                            "its worker was lost"));
    // Plans that nobody waits for any more. They keep their tokens, and so are in the index.
    RETURN_IF_ERROR(
        change.sql.Prepare("DELETE FROM tasks WHERE token IS NOT NULL AND finished=1 AND expires<=?")
            ->BindAll(absl::ToUnixMicros(change.sql.Now() - kPlanRetention))
            .Run());
    return expired;
  });
}

absl::StatusOr<int> Catalogue::LoseWorker(const std::string& worker_id, const std::string& reason) {
  return Transact([&](Change& change) { return LoseTasks(change, "worker_id=?", worker_id, reason); });
}

}  // namespace quantd
