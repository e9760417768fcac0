#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/sha256.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"
#include "storage/catalogue/page_token.h"

namespace quantd {
namespace {

// The same for models that a job makes the same artifacts of: paths tell which file is which, and names in
// artifacts are made from the display name.
std::string SourcesDigest(const std::string& display_name, std::vector<ModelFileRecord> files) {
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  std::string text = absl::StrCat(display_name.size(), " ", display_name, "\n");
  for (const ModelFileRecord& file : files)
    absl::StrAppend(&text, file.path.size(), " ", file.path, " ", file.blob.sha256, " ", file.blob.size,
                    "\n");
  return Sha256Hex(text);
}

}  // namespace

absl::StatusOr<ModelRecord> Catalogue::CreateModel(const std::string& tenant, const std::string& display_name,
                                                   const std::vector<ModelFileRecord>& files,
                                                   const std::string& request_id) {
  return Transact([&](Change& change) -> absl::StatusOr<ModelRecord> {
    if (!request_id.empty()) {
      auto find = change.sql.Prepare("SELECT id FROM models WHERE tenant=? AND request_id=?");
      find->BindAll(tenant, request_id);
      ASSIGN_OR_RETURN(bool found, find->Step());
      if (found) {
        ASSIGN_OR_RETURN(ModelRecord model, ReadModel(change.sql, find->Text(0)));
        if (model.display_name != display_name || model.files != files)
          return InvalidField("request_id", "was used for another model");
        return model;
      }
    }
    const std::string id = RandomId();
    const int64_t now = absl::ToUnixMicros(change.sql.Now());
    RETURN_IF_ERROR(
        change.sql
            .Prepare("INSERT INTO models(id, tenant, display_name, state, create_time, use_time, sources,"
                     " request_id) VALUES (?,?,?,?,?,?,?,nullif(?,''))")
            ->BindAll(id, tenant, display_name, static_cast<int64_t>(ModelState::kUploading), now, now,
                      SourcesDigest(display_name, files), request_id)
            .Run());
    for (size_t i = 0; i < files.size(); ++i) {
      RETURN_IF_ERROR(
          change.sql.Prepare("INSERT INTO model_files VALUES (?,?,?,?,?)")
              ->BindAll(id, static_cast<int64_t>(i), files[i].path, files[i].blob.sha256, files[i].blob.size)
              .Run());
    }
    // Not before: a model of many files must not hold up everybody while it is written.
    RETURN_IF_ERROR(LockContent(change));
    RETURN_IF_ERROR(CheckStoredBytes(change.sql, tenant, 0));
    RETURN_IF_ERROR(InspectIfComplete(change, tenant, id));
    return ReadModel(change.sql, id);
  });
}

absl::Status Catalogue::InspectIfComplete(Change& change, const std::string& tenant,
                                          const std::string& model_id) {
  auto missing = change.sql.Prepare(
      "SELECT count(*) FROM model_files f WHERE model_id=? AND NOT EXISTS"
      " (SELECT 1 FROM blobs b WHERE b.tenant=? AND b.sha256=f.sha256 AND b.size=f.size)");
  missing->BindAll(model_id, tenant);
  RETURN_IF_ERROR(missing->Step().status());
  if (missing->Integer(0) > 0) return absl::OkStatus();
  RETURN_IF_ERROR(change.sql.Prepare("UPDATE models SET state=? WHERE id=?")
                      ->BindAll(static_cast<int64_t>(ModelState::kInspecting), model_id)
                      .Run());
  return QueueTask(change, {RandomId(), tenant, TaskKind::kInspect, model_id, "", ""});
}

absl::Status Catalogue::UseModel(Change& change, const std::string& id) {
  return change.sql.Prepare("UPDATE models SET use_time=? WHERE id=?")
      ->BindAll(absl::ToUnixMicros(change.sql.Now()), id)
      .Run();
}

absl::StatusOr<ModelRecord> Catalogue::ReadModel(Transaction& sql, const std::string& id) {
  auto find = sql.Prepare(
      "SELECT display_name, state, create_time, error_code, error, summary, tenant FROM models WHERE id=?");
  find->BindAll(id);
  ASSIGN_OR_RETURN(bool found, find->Step());
  if (!found) return ResourceNotFound("model", absl::StrCat("models/", id));
  ModelRecord model;
  model.id = id;
  model.display_name = find->Text(0);
  model.state = static_cast<ModelState>(find->Integer(1));
  model.create_time = absl::FromUnixMicros(find->Integer(2));
  model.error_code = static_cast<int>(find->Integer(3));
  model.error = find->Text(4);
  model.summary_blob = find->Text(5);
  model.tenant = find->Text(6);
  auto files = sql.Prepare("SELECT path, sha256, size FROM model_files WHERE model_id=? ORDER BY position");
  files->BindAll(id);
  for (;;) {
    ASSIGN_OR_RETURN(bool row, files->Step());
    if (!row) return model;
    model.files.push_back({files->Text(0), {files->Text(1), files->Integer(2)}});
  }
}

absl::StatusOr<ModelRecord> Catalogue::ReadModelOf(Transaction& sql, const std::string& tenant,
                                                   const std::string& id) {
  ASSIGN_OR_RETURN(ModelRecord model, ReadModel(sql, id));
  if (model.tenant != tenant) return ResourceNotFound("model", absl::StrCat("models/", id));
  return model;
}

absl::StatusOr<ModelRecord> Catalogue::GetModel(const std::string& tenant, const std::string& id) {
  return Read([&](Transaction& sql) { return ReadModelOf(sql, tenant, id); });
}

absl::StatusOr<Page<ModelRecord>> Catalogue::ListModels(const std::string& tenant, int page_size,
                                                        const std::string& page_token) {
  return Read([&](Transaction& sql) -> absl::StatusOr<Page<ModelRecord>> {
    ASSIGN_OR_RETURN(int64_t before, PageBegin(sql, "models", tenant, page_token));
    auto list =
        sql.Prepare("SELECT id FROM models WHERE tenant=? AND sequence<? ORDER BY sequence DESC LIMIT ?");
    list->BindAll(tenant, before, static_cast<int64_t>(page_size) + 1);
    Page<ModelRecord> page;
    for (;;) {
      ASSIGN_OR_RETURN(bool row, list->Step());
      if (!row) return page;
      if (page.records.size() == static_cast<size_t>(page_size)) {
        page.next_token = MakePageToken(page.records.back().create_time, page.records.back().id);
        return page;
      }
      ASSIGN_OR_RETURN(ModelRecord model, ReadModel(sql, list->Text(0)));
      page.records.push_back(std::move(model));
    }
  });
}

absl::StatusOr<Unneeded> Catalogue::DeleteModel(const std::string& tenant, const std::string& id) {
  return Transact([&](Change& change) -> absl::StatusOr<Unneeded> {
    RETURN_IF_ERROR(ReadModelOf(change.sql, tenant, id).status());
    RETURN_IF_ERROR(LockContent(change));
    RETURN_IF_ERROR(LockTasks(change, "model_id", id));
    RETURN_IF_ERROR(LockModel(change, id));
    RETURN_IF_ERROR(ReadModel(change.sql, id).status());
    auto jobs = change.sql.Prepare("SELECT id FROM jobs WHERE model_id=? AND state IN (?,?) LIMIT 1");
    jobs->BindAll(id, static_cast<int64_t>(JobState::kQueued), static_cast<int64_t>(JobState::kRunning));
    ASSIGN_OR_RETURN(bool used, jobs->Step());
    if (used) {
      return PreconditionFailed(absl::StrCat("models/", id),
                                absl::StrCat("is used by jobs/", jobs->Text(0), ", which has not ended"));
    }
    RETURN_IF_ERROR(change.sql.Prepare("DELETE FROM models WHERE id=?")->BindAll(id).Run());
    Unneeded unneeded;
    ASSIGN_OR_RETURN(Dropped dropped, CollectBlobs(change));
    unneeded.object_keys = std::move(dropped.object_keys);
    ASSIGN_OR_RETURN(unneeded.upload_ids, DropUploads(change));
    return unneeded;
  });
}

}  // namespace quantd
