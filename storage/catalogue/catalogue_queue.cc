// The queue: which task a worker gets next.
//
// Tenants share the workers by start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queuing", 1996).
// Starting a task gives its tenant a start tag, the larger one of its last finish tag and of the queue's
// virtual time, and a finish tag, 1/weight later. The tenant whose next start tag is the smallest has its
// turn; the virtual time is the start tag of what was started last. So a tenant that comes now is next,
// whatever others have waiting, and time in which it had nothing waiting gives it no claim. Within a tenant,
// priority comes before age. Short tasks and jobs are shared apart, because workers take short tasks beside
// jobs.
#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"
#include "storage/catalogue/task_row.h"

namespace quantd {
namespace {

// Of a tenant with weight 1.
constexpr double kTagsPerTask = 1'000'000;

// A lane of the queue. Its conditions are those of an index.
struct Lane {
  int64_t number;
  const char* waiting;
  const char* order;
};
constexpr Lane kShortTasks = {1, "token IS NULL AND kind<3", "sequence"};
constexpr Lane kJobs = {2, "token IS NULL AND kind=3", "priority DESC, sequence"};

const Lane& LaneOf(TaskKind kind) { return kind == TaskKind::kQuantize ? kJobs : kShortTasks; }

// Those of `kinds` that wait in that lane, as a list of SQL.
std::string KindsIn(const Lane& lane, const std::vector<TaskKind>& kinds) {
  std::vector<int> numbers;
  for (const TaskKind kind : kinds) {
    if (&LaneOf(kind) == &lane) numbers.push_back(static_cast<int>(kind));
  }
  return absl::StrJoin(numbers, ",");
}

// A tenant that has something waiting.
struct Turn {
  std::string tenant;
  int64_t start_tag = 0;  // of its next task
  int64_t finish_tag = 0;
};

// In order.
absl::StatusOr<std::vector<Turn>> Turns(Transaction& sql, const Lane& lane, const std::string& kinds) {
  // Not EXISTS: PostgreSQL makes a join of it, which may read the whole queue. So it is one look into the
  // index for each tenant.
  auto list = sql.Prepare(absl::StrCat(
      "SELECT tenant, finish_tag, (SELECT max(start_tag) FROM shares WHERE lane=?) FROM shares s"
      " WHERE lane=? AND (SELECT sequence FROM tasks t WHERE t.tenant=s.tenant AND ",
      lane.waiting, " AND kind IN (", kinds, ") ORDER BY ", lane.order, " LIMIT 1) IS NOT NULL"));
  list->BindAll(lane.number, lane.number);
  std::vector<Turn> turns;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, list->Step());
    if (!row) break;
    const int64_t finish_tag = list->Integer(1), virtual_time = list->Integer(2);
    turns.push_back({list->Text(0), std::max(virtual_time, finish_tag), finish_tag});
  }
  // Of those that have been idle, the one that has been so for longest comes first.
  std::sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) {
    return std::tie(a.start_tag, a.finish_tag, a.tenant) < std::tie(b.start_tag, b.finish_tag, b.tenant);
  });
  return turns;
}

// Its next task, locked; nothing when others have locked all of them.
absl::StatusOr<std::optional<LeaseRecord>> NextTask(Transaction& sql, const Lane& lane,
                                                    const std::string& kinds, const std::string& tenant) {
  auto find = sql.Prepare(absl::StrCat("SELECT ", kTaskColumns, ", attempt FROM tasks WHERE tenant=? AND ",
                                       lane.waiting, " AND kind IN (", kinds, ") ORDER BY ", lane.order,
                                       " LIMIT 1", sql.dialect().lock_free_rows));
  find->BindAll(tenant);
  ASSIGN_OR_RETURN(const bool found, find->Step());
  if (!found) return std::optional<LeaseRecord>();
  return LeaseRecord{ReadTask(*find), 0, static_cast<int>(find->Integer(kTaskColumnCount)) + 1};
}

absl::Status TakeTurn(Transaction& sql, const Lane& lane, const Turn& turn, double weight) {
  return sql.Prepare("UPDATE shares SET start_tag=?, finish_tag=? WHERE tenant=? AND lane=?")
      ->BindAll(turn.start_tag, turn.start_tag + static_cast<int64_t>(kTagsPerTask / weight), turn.tenant,
                lane.number)
      .Run();
}

absl::Status MakeShare(Transaction& sql, const Lane& lane, const std::string& tenant) {
  return sql.Prepare("INSERT INTO shares VALUES (?,?,0,0) ON CONFLICT DO NOTHING")
      ->BindAll(tenant, lane.number)
      .Run();
}

}  // namespace

absl::Status Catalogue::LockJobShare(Change& change, const std::string& tenant) {
  RETURN_IF_ERROR(MakeShare(change.sql, kJobs, tenant));
  return change.sql
      .Prepare(
          absl::StrCat("SELECT tenant FROM shares WHERE tenant=? AND lane=?", change.sql.dialect().lock_rows))
      ->BindAll(tenant, kJobs.number)
      .Run();
}

absl::Status Catalogue::QueueTask(Change& change, const TaskRecord& task) {
  change.news.task_queued = true;
  RETURN_IF_ERROR(MakeShare(change.sql, LaneOf(task.kind), task.tenant));
  return change.sql
      .Prepare(
          "INSERT INTO tasks(id, tenant, kind, model_id, job_id, targets, priority)"
          " VALUES (?,?,?,?,nullif(?,''),?,?)")
      ->BindAll(task.id, task.tenant, static_cast<int64_t>(task.kind), task.model_id, task.job_id,
                task.targets_blob, task.priority)
      .Run();
}

absl::StatusOr<bool> Catalogue::MayRunMore(Transaction& sql, const std::string& tenant) const {
  const int64_t most = LimitsOf(tenant).running_jobs;
  if (most == 0) return true;
  auto running = sql.Prepare("SELECT count(*) FROM tasks WHERE token IS NOT NULL AND kind=3 AND tenant=?");
  running->BindAll(tenant);
  RETURN_IF_ERROR(running->Step().status());
  return running->Integer(0) < most;
}

absl::StatusOr<std::optional<LeaseRecord>> Catalogue::LeaseTask(const std::vector<TaskKind>& kinds,
                                                                const std::string& worker_id,
                                                                const std::string& engine_version) {
  return Transact([&](Change& change) -> absl::StatusOr<std::optional<LeaseRecord>> {
    for (const Lane* lane : {&kShortTasks, &kJobs}) {
      const std::string wanted = KindsIn(*lane, kinds);
      if (wanted.empty()) continue;
      // Most calls find nothing, and need no lock for that.
      ASSIGN_OR_RETURN(std::vector<Turn> turns, Turns(change.sql, *lane, wanted));
      if (turns.empty()) continue;
      RETURN_IF_ERROR(LockQueue(change));
      ASSIGN_OR_RETURN(turns, Turns(change.sql, *lane, wanted));
      for (const Turn& turn : turns) {
        if (lane == &kJobs) {
          ASSIGN_OR_RETURN(const bool may_run, MayRunMore(change.sql, turn.tenant));
          if (!may_run) continue;
        }
        ASSIGN_OR_RETURN(std::optional<LeaseRecord> lease, NextTask(change.sql, *lane, wanted, turn.tenant));
        if (!lease.has_value()) continue;
        RETURN_IF_ERROR(StartJob(change, *lease, engine_version));
        RETURN_IF_ERROR(TakeTurn(change.sql, *lane, turn, LimitsOf(turn.tenant).weight));
        RETURN_IF_ERROR(GiveLease(change, *lease, worker_id));
        return lease;
      }
    }
    return std::optional<LeaseRecord>();
  });
}

absl::Status Catalogue::StartJob(Change& change, const LeaseRecord& lease,
                                 const std::string& engine_version) {
  if (lease.task.kind != TaskKind::kQuantize) return absl::OkStatus();
  RETURN_IF_ERROR(change.sql
                      .Prepare("UPDATE jobs SET state=?, start_time=?, attempt=?, stage='', tensors_done=0,"
                               " bytes_done=0, engine=? WHERE id=?")
                      ->BindAll(static_cast<int64_t>(JobState::kRunning),
                                absl::ToUnixMicros(change.sql.Now()), static_cast<int64_t>(lease.attempt),
                                engine_version, lease.task.job_id)
                      .Run());
  return AddEvent(change, lease.task.job_id, EventType::kStarted, "");
}

absl::Status Catalogue::GiveLease(Change& change, LeaseRecord& lease, const std::string& worker_id) const {
  auto token = change.sql.Prepare("UPDATE fencing SET token=token+1 RETURNING token");
  RETURN_IF_ERROR(token->Step().status());
  lease.token = token->Integer(0);
  RETURN_IF_ERROR(token->Run());
  return change.sql.Prepare("UPDATE tasks SET token=?, worker_id=?, expires=?, attempt=? WHERE id=?")
      ->BindAll(lease.token, worker_id, absl::ToUnixMicros(change.sql.Now() + options_.lease),
                static_cast<int64_t>(lease.attempt), lease.task.id)
      .Run();
}

}  // namespace quantd
