// What goes by itself: what retention does not keep, and what nothing needs.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {
namespace {

// The time of last use before which something goes; before all times when it is kept for ever.
int64_t CutOff(absl::Time now, absl::Duration retention) {
  return retention == absl::ZeroDuration() ? -1 : absl::ToUnixMicros(now - retention);
}

// A model of which no job has been used for long, or that waits for bytes that do not come. Both parameters
// are times; states as in ModelState and JobState. Conditions are read again once the model is locked.
constexpr char kUnusedModel[] =
    "((state=1 AND use_time<=?) OR (state IN (3,4) AND use_time<=?))"
    " AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.model_id=models.id AND (j.state<3 OR j.end_time>?))"
    " AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.model_id=models.id)";

absl::StatusOr<std::vector<Collection::Record>> DropModels(Transaction& sql, const Retention& retention) {
  const int64_t unfinished = CutOff(sql.Now(), retention.uploads);
  const int64_t unused = CutOff(sql.Now(), retention.models);
  auto find = sql.Prepare(absl::StrCat("SELECT id FROM models WHERE ", kUnusedModel, " ORDER BY sequence",
                                       sql.dialect().lock_rows));
  find->BindAll(unfinished, unused, unused);
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, find->Texts());
  std::vector<Collection::Record> dropped;
  for (const std::string& id : ids) {
    auto drop =
        sql.Prepare(absl::StrCat("DELETE FROM models WHERE id=? AND ", kUnusedModel, " RETURNING tenant"));
    drop->BindAll(id, unfinished, unused, unused);
    ASSIGN_OR_RETURN(const std::vector<std::string> tenants, drop->Texts());
    for (const std::string& tenant : tenants) dropped.push_back({tenant, id});
  }
  return dropped;
}

absl::StatusOr<std::vector<Collection::Record>> DropJobs(Transaction& sql, const Retention& retention) {
  constexpr char kUnusedJob[] = "state>=3 AND use_time<=?";
  const int64_t unused = CutOff(sql.Now(), retention.artifacts);
  auto find = sql.Prepare(
      absl::StrCat("SELECT id FROM jobs WHERE ", kUnusedJob, " ORDER BY sequence", sql.dialect().lock_rows));
  find->BindAll(unused);
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, find->Texts());
  std::vector<Collection::Record> dropped;
  for (const std::string& id : ids) {
    auto drop = sql.Prepare("DELETE FROM jobs WHERE id=? RETURNING tenant");
    drop->BindAll(id);
    ASSIGN_OR_RETURN(const std::vector<std::string> tenants, drop->Texts());
    for (const std::string& tenant : tenants) dropped.push_back({tenant, id});
  }
  return dropped;
}

}  // namespace

absl::StatusOr<Collection> Catalogue::Collect(const Retention& retention, bool dry_run) {
  if (!dry_run) return Transact([&](Change& change) { return CollectIn(change, retention); });
  // The same, rolled back.
  return Repeat([&]() -> absl::StatusOr<Collection> {
    ASSIGN_OR_RETURN(const std::unique_ptr<Transaction> transaction, database_->Begin());
    Change change{*transaction, {}};
    return CollectIn(change, retention);
  });
}

absl::StatusOr<Collection> Catalogue::CollectIn(Change& change, const Retention& retention) {
  RETURN_IF_ERROR(LockContent(change));
  Collection collection;
  ASSIGN_OR_RETURN(collection.models, DropModels(change.sql, retention));
  ASSIGN_OR_RETURN(collection.jobs, DropJobs(change.sql, retention));
  ASSIGN_OR_RETURN(collection.upload_ids, DropUploads(change));
  ASSIGN_OR_RETURN(const Dropped dropped, CollectBlobs(change));
  collection.objects = static_cast<int64_t>(dropped.object_keys.size());
  collection.object_bytes = dropped.bytes;
  return collection;
}

absl::StatusOr<Catalogue::Dropped> Catalogue::CollectBlobs(Change& change) {
  auto drop = change.sql.Prepare(
      "DELETE FROM blobs WHERE NOT EXISTS"
      " (SELECT 1 FROM model_files f JOIN models m ON m.id=f.model_id"
      "  WHERE m.tenant=blobs.tenant AND f.sha256=blobs.sha256 AND f.size=blobs.size) AND NOT EXISTS"
      " (SELECT 1 FROM job_artifacts a JOIN jobs j ON j.id=a.job_id"
      "  WHERE j.tenant=blobs.tenant AND a.sha256=blobs.sha256 AND a.size=blobs.size)"
      " RETURNING object_key, size");
  std::vector<std::pair<std::string, int64_t>> objects;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, drop->Step());
    if (!row) break;
    objects.emplace_back(drop->Text(0), drop->Integer(1));
  }
  const int64_t now = absl::ToUnixMicros(change.sql.Now());
  Dropped dropped;
  for (const auto& [key, size] : objects) {
    RETURN_IF_ERROR(change.sql.Prepare("INSERT INTO garbage VALUES (?,?,?) ON CONFLICT DO NOTHING")
                        ->BindAll(key, now, size)
                        .Run());
    dropped.object_keys.push_back(key);
    dropped.bytes += size;
  }
  return dropped;
}

absl::StatusOr<std::vector<std::string>> Catalogue::DropUploads(Change& change) {
  return change.sql
      .Prepare(
          "DELETE FROM uploads WHERE NOT EXISTS"
          " (SELECT 1 FROM model_files f JOIN models m ON m.id=f.model_id"
          "  WHERE m.tenant=uploads.tenant AND f.sha256=uploads.sha256 AND f.size=uploads.size)"
          " RETURNING id")
      ->Texts();
}

absl::StatusOr<std::vector<std::string>> Catalogue::Garbage(absl::Duration grace) {
  return Transact([&](Change& change) {
    return change.sql.Prepare("SELECT object_key FROM garbage WHERE since<=? ORDER BY since")
        ->BindAll(absl::ToUnixMicros(change.sql.Now() - grace))
        .Texts();
  });
}

absl::Status Catalogue::ForgetGarbage(const std::vector<std::string>& object_keys) {
  if (object_keys.empty()) return absl::OkStatus();
  return Transact([&](Change& change) -> absl::Status {
    for (const std::string& key : object_keys) {
      RETURN_IF_ERROR(change.sql.Prepare("DELETE FROM garbage WHERE object_key=?")->BindAll(key).Run());
    }
    return absl::OkStatus();
  });
}

}  // namespace quantd
