// Statistics, and what attempts that died left behind.
#include <set>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {
namespace {

absl::StatusOr<int64_t> One(Transaction& sql, const std::string& text) {
  auto query = sql.Prepare(text);
  RETURN_IF_ERROR(query->Step().status());
  return query->Integer(0);
}

constexpr char kOfModels[] =
    "EXISTS (SELECT 1 FROM model_files f JOIN models m ON m.id=f.model_id"
    " WHERE m.tenant=blobs.tenant AND f.sha256=blobs.sha256 AND f.size=blobs.size)";

}  // namespace

absl::StatusOr<CatalogueStatistics> Catalogue::Statistics() {
  return Read([&](Transaction& sql) -> absl::StatusOr<CatalogueStatistics> {
    CatalogueStatistics out;
    auto jobs = sql.Prepare("SELECT state, count(*) FROM jobs GROUP BY state");
    for (;;) {
      ASSIGN_OR_RETURN(bool row, jobs->Step());
      if (!row) break;
      out.jobs[static_cast<JobState>(jobs->Integer(0))] = jobs->Integer(1);
    }
    auto oldest = sql.Prepare("SELECT min(create_time) FROM jobs WHERE state=?");
    oldest->BindAll(static_cast<int64_t>(JobState::kQueued));
    RETURN_IF_ERROR(oldest->Step().status());
    if (!oldest->IsNull(0)) out.oldest_queued_job = absl::FromUnixMicros(oldest->Integer(0));
    const std::string blob_bytes = "SELECT CAST(coalesce(sum(size),0) AS BIGINT) FROM blobs WHERE ";
    ASSIGN_OR_RETURN(out.source_bytes, One(sql, blob_bytes + kOfModels));
    ASSIGN_OR_RETURN(out.artifact_bytes, One(sql, blob_bytes + "NOT " + kOfModels));
    ASSIGN_OR_RETURN(out.upload_bytes, One(sql, "SELECT CAST(coalesce(sum(size),0) AS BIGINT) FROM uploads"));
    auto busy =
        sql.Prepare("SELECT DISTINCT worker_id FROM tasks WHERE token IS NOT NULL AND finished=0 AND kind=?");
    busy->BindAll(static_cast<int64_t>(TaskKind::kQuantize));
    ASSIGN_OR_RETURN(out.busy_workers, busy->Texts());
    return out;
  });
}

absl::Status Catalogue::DropPlan(const std::string& task_id) {
  return Transact([&](Change& change) { return RemoveTask(change, task_id); });
}

absl::Status Catalogue::DropAllPlans() {
  if (database_->is_shared()) return absl::OkStatus();
  return Transact([&](Change& change) {
    return change.sql.Prepare("DELETE FROM tasks WHERE kind=?")
        ->BindAll(static_cast<int64_t>(TaskKind::kPlan))
        .Run();
  });
}

absl::StatusOr<std::vector<std::string>> Catalogue::UnusedArtifacts(
    const std::vector<std::string>& object_keys) {
  return Read([&](Transaction& sql) -> absl::StatusOr<std::vector<std::string>> {
    ASSIGN_OR_RETURN(
        const std::vector<std::string> blobs,
        sql.Prepare("SELECT object_key FROM blobs UNION ALL SELECT object_key FROM garbage")->Texts());
    const std::set<std::string> kept(blobs.begin(), blobs.end());
    ASSIGN_OR_RETURN(
        const std::vector<std::string> tokens,
        sql.Prepare("SELECT CAST(token AS TEXT) FROM tasks WHERE token IS NOT NULL AND finished=0")->Texts());
    const std::set<std::string> writing(tokens.begin(), tokens.end());
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
  return Read([&](Transaction& sql) -> absl::StatusOr<std::vector<std::string>> {
    std::vector<std::string> unknown;
    for (const std::string& key : object_keys) {
      auto find = sql.Prepare(
          "SELECT 1 FROM blobs WHERE object_key=? UNION ALL SELECT 1 FROM garbage WHERE object_key=?");
      find->BindAll(key, key);
      ASSIGN_OR_RETURN(bool found, find->Step());
      if (!found) unknown.push_back(key);
    }
    return unknown;
  });
}

absl::StatusOr<std::vector<std::string>> Catalogue::CollectUploads(const std::vector<std::string>& ids) {
  return Transact([&](Change& change) -> absl::StatusOr<std::vector<std::string>> {
    RETURN_IF_ERROR(LockContent(change));
    RETURN_IF_ERROR(DropUploads(change).status());
    std::vector<std::string> unknown;
    for (const std::string& id : ids) {
      auto find = change.sql.Prepare("SELECT 1 FROM uploads WHERE id=?");
      find->BindAll(id);
      ASSIGN_OR_RETURN(bool found, find->Step());
      if (!found) unknown.push_back(id);
    }
    return unknown;
  });
}

}  // namespace quantd
