#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"
#include "storage/catalogue/page_token.h"

namespace quantd {
namespace {

JobProgressRecord ReadProgress(const Statement& row, int column) {
  return {row.Text(column), row.Integer(column + 1), row.Integer(column + 2), row.Integer(column + 3),
          row.Integer(column + 4)};
}

std::optional<absl::Time> OptionalTime(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return absl::FromUnixMicros(row.Integer(column));
}

}  // namespace

absl::StatusOr<JobRecord> Catalogue::ReadJob(Transaction& sql, const std::string& id) {
  auto find = sql.Prepare(
      "SELECT model_id, targets, state, cancel_requested, create_time, start_time, end_time, attempt, stage, "
      "tensors_done,"
      " tensors_total, bytes_done, bytes_total, error_code, error, result, revision, error_field, tenant, "
      "priority, "
      "cached FROM jobs WHERE id=?");
  find->BindAll(id);
  ASSIGN_OR_RETURN(bool found, find->Step());
  if (!found) return ResourceNotFound("job", absl::StrCat("jobs/", id));
  JobRecord job;
  job.id = id;
  job.model_id = find->Text(0);
  job.targets_blob = find->Text(1);
  job.state = static_cast<JobState>(find->Integer(2));
  job.cancel_requested = find->Integer(3) != 0;
  job.create_time = absl::FromUnixMicros(find->Integer(4));
  job.start_time = OptionalTime(*find, 5);
  job.end_time = OptionalTime(*find, 6);
  job.attempt = static_cast<int>(find->Integer(7));
  job.progress = ReadProgress(*find, 8);
  job.error_code = static_cast<int>(find->Integer(13));
  job.error = find->Text(14);
  job.result_blob = find->Text(15);
  job.revision = find->Integer(16);
  job.error_field = find->Text(17);
  job.tenant = find->Text(18);
  job.priority = static_cast<int>(find->Integer(19));
  job.cached = find->Integer(20) != 0;
  auto labels = sql.Prepare("SELECT key, value FROM job_labels WHERE job_id=?");
  labels->BindAll(id);
  for (;;) {
    ASSIGN_OR_RETURN(bool row, labels->Step());
    if (!row) return job;
    job.labels[labels->Text(0)] = labels->Text(1);
  }
}

absl::StatusOr<JobRecord> Catalogue::ReadJobOf(Transaction& sql, const std::string& tenant,
                                               const std::string& id) {
  ASSIGN_OR_RETURN(JobRecord job, ReadJob(sql, id));
  if (job.tenant != tenant) return ResourceNotFound("job", absl::StrCat("jobs/", id));
  return job;
}

absl::StatusOr<JobRecord> Catalogue::GetJob(const std::string& tenant, const std::string& id) {
  return Read([&](Transaction& sql) { return ReadJobOf(sql, tenant, id); });
}

absl::StatusOr<Page<JobRecord>> Catalogue::ListJobs(const std::string& tenant, const JobFilter& filter,
                                                    int page_size, const std::string& page_token) {
  return Read([&](Transaction& sql) -> absl::StatusOr<Page<JobRecord>> {
    ASSIGN_OR_RETURN(int64_t before, PageBegin(sql, "jobs", tenant, page_token));
    std::string text = "SELECT id FROM jobs WHERE tenant=? AND sequence<?";
    if (filter.state.has_value()) absl::StrAppend(&text, " AND state=", static_cast<int>(*filter.state));
    if (!filter.model_id.empty()) absl::StrAppend(&text, " AND model_id=?");
    for (size_t i = 0; i < filter.labels.size(); ++i) {
      absl::StrAppend(
          &text, " AND EXISTS (SELECT 1 FROM job_labels l WHERE l.job_id=jobs.id AND l.key=? AND l.value=?)");
    }
    auto list = sql.Prepare(text + " ORDER BY sequence DESC LIMIT ?");
    list->BindAll(tenant, before);
    if (!filter.model_id.empty()) list->Bind(filter.model_id);
    for (const auto& [key, value] : filter.labels) list->BindAll(key, value);
    list->Bind(static_cast<int64_t>(page_size) + 1);
    Page<JobRecord> page;
    for (;;) {
      ASSIGN_OR_RETURN(bool row, list->Step());
      if (!row) return page;
      if (page.records.size() == static_cast<size_t>(page_size)) {
        page.next_token = MakePageToken(page.records.back().create_time, page.records.back().id);
        return page;
      }
      ASSIGN_OR_RETURN(JobRecord job, ReadJob(sql, list->Text(0)));
      page.records.push_back(std::move(job));
    }
  });
}

absl::StatusOr<JobRecord> Catalogue::CancelJob(const std::string& tenant, const std::string& id) {
  return Transact([&](Change& change) -> absl::StatusOr<JobRecord> {
    RETURN_IF_ERROR(ReadJobOf(change.sql, tenant, id).status());
    RETURN_IF_ERROR(LockTasks(change, "job_id", id));
    RETURN_IF_ERROR(LockJob(change, id));
    ASSIGN_OR_RETURN(JobRecord job, ReadJob(change.sql, id));
    if (IsEnded(job.state) || job.cancel_requested) return job;
    RETURN_IF_ERROR(change.sql.Prepare("UPDATE jobs SET cancel_requested=1 WHERE id=?")->BindAll(id).Run());
    RETURN_IF_ERROR(AddEvent(change, id, EventType::kCancelRequested, ""));
    if (job.state == JobState::kQueued) {
      RETURN_IF_ERROR(change.sql.Prepare("DELETE FROM tasks WHERE job_id=?")->BindAll(id).Run());
      RETURN_IF_ERROR(
          EndJob(change, id, JobState::kCancelled, absl::CancelledError("cancelled before it began")));
    }
    return ReadJob(change.sql, id);
  });
}

absl::StatusOr<std::vector<std::string>> Catalogue::DeleteJob(const std::string& tenant,
                                                              const std::string& id) {
  return Transact([&](Change& change) -> absl::StatusOr<std::vector<std::string>> {
    RETURN_IF_ERROR(ReadJobOf(change.sql, tenant, id).status());
    RETURN_IF_ERROR(LockContent(change));
    RETURN_IF_ERROR(LockJob(change, id));
    ASSIGN_OR_RETURN(JobRecord job, ReadJob(change.sql, id));
    if (!IsEnded(job.state))
      return PreconditionFailed(absl::StrCat("jobs/", id), "has not ended: cancel it first");
    RETURN_IF_ERROR(change.sql.Prepare("DELETE FROM jobs WHERE id=?")->BindAll(id).Run());
    ASSIGN_OR_RETURN(Dropped dropped, CollectBlobs(change));
    return std::move(dropped.object_keys);
  });
}

absl::StatusOr<std::vector<EventRecord>> Catalogue::ListEvents(const std::string& tenant,
                                                               const std::string& job_id,
                                                               int64_t after_revision, int limit) {
  return Read([&](Transaction& sql) -> absl::StatusOr<std::vector<EventRecord>> {
    auto list = sql.Prepare(
        "SELECT revision, time, type, attempt, state, message, stage, tensors_done, tensors_total, "
        "bytes_done, bytes_total"
        " FROM job_events WHERE job_id=? AND revision>?"
        " AND EXISTS (SELECT 1 FROM jobs WHERE id=job_id AND tenant=?) ORDER BY revision LIMIT ?");
    list->BindAll(job_id, after_revision, tenant, static_cast<int64_t>(limit));
    std::vector<EventRecord> events;
    for (;;) {
      ASSIGN_OR_RETURN(bool row, list->Step());
      if (!row) return events;
      events.push_back({list->Integer(0), absl::FromUnixMicros(list->Integer(1)),
                        static_cast<EventType>(list->Integer(2)), static_cast<int>(list->Integer(3)),
                        ReadProgress(*list, 6), list->Text(5), static_cast<JobState>(list->Integer(4))});
    }
  });
}

absl::Status Catalogue::AddEvent(Change& change, const std::string& job_id, EventType type,
                                 const std::string& message, RetryReason retry_reason) {
  auto count = change.sql.Prepare("UPDATE jobs SET revision=revision+1 WHERE id=? RETURNING tenant");
  ASSIGN_OR_RETURN(const std::vector<std::string> tenants, count->BindAll(job_id).Texts());
  for (const std::string& tenant : tenants) change.news.jobs.push_back({tenant, job_id, type, retry_reason});
  return change.sql
      .Prepare(
          "INSERT INTO job_events SELECT id, revision, ?, ?, attempt, state, ?, stage, tensors_done, "
          "tensors_total,"
          " bytes_done, bytes_total FROM jobs WHERE id=?")
      ->BindAll(absl::ToUnixMicros(change.sql.Now()), static_cast<int64_t>(type), message, job_id)
      .Run();
}

absl::Status Catalogue::EndJob(Change& change, const std::string& job_id, JobState state,
                               const absl::Status& error) {
  const bool failed = state == JobState::kFailed;
  const std::string message(error.message());
  const int64_t now = absl::ToUnixMicros(change.sql.Now());
  RETURN_IF_ERROR(change.sql
                      .Prepare("UPDATE jobs SET state=?, end_time=?, use_time=?, error_code=?, error=?, "
                               "error_field=? WHERE id=?")
                      ->BindAll(static_cast<int64_t>(state), now, now,
                                static_cast<int64_t>(failed ? error.raw_code() : 0),
                                failed ? message : std::string(),
                                failed ? FieldOf(error).value_or("") : std::string(), job_id)
                      .Run());
  const EventType type = state == JobState::kSucceeded ? EventType::kSucceeded
                         : failed                      ? EventType::kFailed
                                                       : EventType::kCancelled;
  return AddEvent(change, job_id, type, message);
}

}  // namespace quantd
