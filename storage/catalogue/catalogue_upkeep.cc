// Statistics, and what attempts that died left behind.
#include <set>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"
#include "storage/catalogue/database.h"

namespace quantd {
namespace {

absl::StatusOr<int64_t> One(Database& database, const std::string& sql) {
  Statement query = database.Prepare(sql);
  RETURN_IF_ERROR(query.Step().status());
  return query.Integer(0);
}

constexpr char kOfModels[] =
    "EXISTS (SELECT 1 FROM model_files f WHERE f.sha256=blobs.sha256 AND f.size=blobs.size)";

}  // namespace

absl::StatusOr<CatalogueStatistics> Catalogue::Statistics() {
  return Transact([&]() -> absl::StatusOr<CatalogueStatistics> {
    CatalogueStatistics out;
    Statement jobs = database_->Prepare("SELECT state, count(*) FROM jobs GROUP BY state");
    for (;;) {
      ASSIGN_OR_RETURN(bool row, jobs.Step());
      if (!row) break;
      out.jobs[static_cast<JobState>(jobs.Integer(0))] = jobs.Integer(1);
    }
    Statement oldest = database_->Prepare("SELECT min(create_time) FROM jobs WHERE state=?");
    oldest.BindAll(static_cast<int64_t>(JobState::kQueued));
    RETURN_IF_ERROR(oldest.Step().status());
    if (!oldest.IsNull(0)) out.oldest_queued_job = absl::FromUnixMicros(oldest.Integer(0));
    const std::string blob_bytes = "SELECT coalesce(sum(size),0) FROM blobs WHERE ";
    ASSIGN_OR_RETURN(out.source_bytes, One(*database_, blob_bytes + kOfModels));
    ASSIGN_OR_RETURN(out.artifact_bytes, One(*database_, blob_bytes + "NOT " + kOfModels));
    ASSIGN_OR_RETURN(out.upload_bytes, One(*database_, "SELECT coalesce(sum(size),0) FROM uploads"));
    Statement busy = database_->Prepare(
        "SELECT DISTINCT worker_id FROM tasks WHERE token IS NOT NULL AND finished=0 AND kind=?");
    busy.BindAll(static_cast<int64_t>(TaskKind::kQuantize));
    for (;;) {
      ASSIGN_OR_RETURN(bool row, busy.Step());
      if (!row) break;
      out.busy_workers.push_back(busy.Text(0));
    }
    return out;
  });
}

absl::Status Catalogue::DropPlan(const std::string& task_id) {
  return Transact([&] { return RemoveTask(task_id); });
}

absl::Status Catalogue::DropAllPlans() {
  return Transact([&] {
    return database_->Prepare("DELETE FROM tasks WHERE kind=?")
        .BindAll(static_cast<int64_t>(TaskKind::kPlan))
        .Run();
  });
}

absl::StatusOr<std::vector<std::string>> Catalogue::UnusedArtifacts(
    const std::vector<std::string>& object_keys) {
  return Transact([&]() -> absl::StatusOr<std::vector<std::string>> {
    std::set<std::string> kept, writing;
    Statement blobs = database_->Prepare("SELECT object_key FROM blobs");
    for (;;) {
      ASSIGN_OR_RETURN(bool row, blobs.Step());
      if (!row) break;
      kept.insert(blobs.Text(0));
    }
    Statement leases = database_->Prepare("SELECT token FROM tasks WHERE token IS NOT NULL AND finished=0");
    for (;;) {
      ASSIGN_OR_RETURN(bool row, leases.Step());
      if (!row) break;
      writing.insert(leases.Text(0));
    }
    std::vector<std::string> unused;
    for (const std::string& key : object_keys) {
      const std::vector<std::string> parts = absl::StrSplit(key, '/');
      const bool in_work = parts.size() > 2 && writing.count(parts[2]) > 0;
      if (!in_work && kept.count(key) == 0) unused.push_back(key);
    }
    return unused;
  });
}

absl::StatusOr<std::vector<std::string>> Catalogue::UnknownObjects(
    const std::vector<std::string>& object_keys) {
  return Transact([&]() -> absl::StatusOr<std::vector<std::string>> {
    std::vector<std::string> unknown;
    for (const std::string& key : object_keys) {
      Statement find = database_->Prepare("SELECT 1 FROM blobs WHERE object_key=?");
      find.BindAll(key);
      ASSIGN_OR_RETURN(bool found, find.Step());
      if (!found) unknown.push_back(key);
    }
    return unknown;
  });
}

absl::StatusOr<std::vector<std::string>> Catalogue::CollectUploads(const std::vector<std::string>& ids) {
  return Transact([&]() -> absl::StatusOr<std::vector<std::string>> {
    RETURN_IF_ERROR(DropUploads().status());
    std::vector<std::string> unknown;
    for (const std::string& id : ids) {
      Statement find = database_->Prepare("SELECT 1 FROM uploads WHERE id=?");
      find.BindAll(id);
      ASSIGN_OR_RETURN(bool found, find.Step());
      if (!found) unknown.push_back(id);
    }
    return unknown;
  });
}

}  // namespace quantd
