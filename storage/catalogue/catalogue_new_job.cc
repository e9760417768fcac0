// How a job begins: queued, or ended at once with the artifacts of an earlier one that did the same.
#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/sha256.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {
namespace {

// The job that had this request's id; nothing when none had. INVALID_ARGUMENT when it was another request.
absl::StatusOr<std::string> FindRequest(Transaction& sql, const std::string& tenant, const NewJob& job) {
  if (job.request_id.empty()) return std::string();
  auto find = sql.Prepare("SELECT id FROM jobs WHERE tenant=? AND request_id=?");
  find->BindAll(tenant, job.request_id);
  ASSIGN_OR_RETURN(const bool found, find->Step());
  return found ? find->Text(0) : std::string();
}

// What the job does, whoever's it is; empty when it cannot be told.
absl::StatusOr<std::string> ActionOf(Transaction& sql, const NewJob& job) {
  auto find = sql.Prepare("SELECT sources FROM models WHERE id=?");
  find->BindAll(job.model_id);
  ASSIGN_OR_RETURN(const bool found, find->Step());
  // A model of an earlier version of the tables has no digest of its sources.
  if (!found || find->Text(0).empty() || job.recipe.empty()) return std::string();
  return Sha256Hex(absl::StrCat(find->Text(0), " ", job.recipe));
}

// The latest job that did it; nothing when none has.
absl::StatusOr<std::string> FindEarlier(Transaction& sql, const std::string& tenant,
                                        const std::string& action, const NewJob& job) {
  if (action.empty() || !job.use_cache) return std::string();
  auto find = sql.Prepare(
      "SELECT id FROM jobs WHERE tenant=? AND recipe=? AND engine=? AND state=? ORDER BY sequence DESC LIMIT "
      "1");
  find->BindAll(tenant, action, job.engine, static_cast<int64_t>(JobState::kSucceeded));
  ASSIGN_OR_RETURN(const bool found, find->Step());
  return found ? find->Text(0) : std::string();
}

}  // namespace

absl::StatusOr<JobRecord> Catalogue::CreateJob(const std::string& tenant, const NewJob& job) {
  return Transact([&](Change& change) -> absl::StatusOr<JobRecord> {
    ASSIGN_OR_RETURN(const std::string known, FindRequest(change.sql, tenant, job));
    if (!known.empty()) {
      ASSIGN_OR_RETURN(JobRecord same, ReadJob(change.sql, known));
      if (same.model_id != job.model_id || same.targets_blob != job.targets_blob ||
          same.labels != job.labels || same.priority != job.priority)
        return InvalidField("request_id", "was used for another job");
      return same;
    }
    ASSIGN_OR_RETURN(const std::string action, ActionOf(change.sql, job));
    ASSIGN_OR_RETURN(std::string earlier, FindEarlier(change.sql, tenant, action, job));
    if (!earlier.empty()) {
      // Its artifacts must not go meanwhile.
      RETURN_IF_ERROR(LockContent(change));
      ASSIGN_OR_RETURN(earlier, FindEarlier(change.sql, tenant, action, job));
    }
    RETURN_IF_ERROR(LockModel(change, job.model_id));
    ASSIGN_OR_RETURN(const ModelRecord model, ReadModelOf(change.sql, tenant, job.model_id));
    if (model.state != ModelState::kReady)
      return PreconditionFailed(absl::StrCat("models/", job.model_id), "is not READY");
    RETURN_IF_ERROR(UseModel(change, job.model_id));
    const std::string id = RandomId();
    if (!earlier.empty()) {
      RETURN_IF_ERROR(InsertJob(change, tenant, id, job, action));
      RETURN_IF_ERROR(EndAsEarlier(change, id, earlier));
      return ReadJob(change.sql, id);
    }
    // What it will write is not known; at least a byte.
    RETURN_IF_ERROR(CheckStoredBytes(change.sql, tenant, 1));
    RETURN_IF_ERROR(CheckQueuedJobs(change, tenant));
    RETURN_IF_ERROR(InsertJob(change, tenant, id, job, action));
    RETURN_IF_ERROR(
        QueueTask(change, {RandomId(), tenant, TaskKind::kQuantize, job.model_id, id, "", job.priority}));
    return ReadJob(change.sql, id);
  });
}

absl::Status Catalogue::InsertJob(Change& change, const std::string& tenant, const std::string& id,
                                  const NewJob& job, const std::string& action) {
  const int64_t now = absl::ToUnixMicros(change.sql.Now());
  RETURN_IF_ERROR(
      change.sql
          .Prepare("INSERT INTO jobs(id, tenant, model_id, targets, state, create_time, use_time, priority,"
                   " recipe, request_id) VALUES (?,?,?,?,?,?,?,?,?,nullif(?,''))")
          ->BindAll(id, tenant, job.model_id, job.targets_blob, static_cast<int64_t>(JobState::kQueued), now,
                    now, static_cast<int64_t>(job.priority), action, job.request_id)
          .Run());
  for (const auto& [key, value] : job.labels) {
    RETURN_IF_ERROR(
        change.sql.Prepare("INSERT INTO job_labels VALUES (?,?,?)")->BindAll(id, key, value).Run());
  }
  return AddEvent(change, id, EventType::kCreated, "");
}

absl::Status Catalogue::EndAsEarlier(Change& change, const std::string& id, const std::string& earlier) {
  RETURN_IF_ERROR(
      change.sql
          .Prepare("INSERT INTO job_artifacts SELECT ?, sha256, size FROM job_artifacts WHERE job_id=?")
          ->BindAll(id, earlier)
          .Run());
  RETURN_IF_ERROR(change.sql
                      .Prepare("UPDATE jobs SET cached=1, state=?, end_time=create_time,"
                               " engine=(SELECT engine FROM jobs e WHERE e.id=?),"
                               " result=(SELECT result FROM jobs e WHERE e.id=?) WHERE id=?")
                      ->BindAll(static_cast<int64_t>(JobState::kSucceeded), earlier, earlier, id)
                      .Run());
  return AddEvent(change, id, EventType::kSucceeded, absl::StrCat("has the artifacts of jobs/", earlier));
}

}  // namespace quantd
