// Opening, transactions, blobs and uploads. Models, jobs and tasks are in the files beside this one.
#include "storage/catalogue/catalogue.h"

#include "base/random_id.h"
#include "base/status.h"
#include "storage/catalogue/database.h"

namespace quantd {

Catalogue::Catalogue(std::unique_ptr<Database> database, Clock& clock, CatalogueOptions options)
    : database_(std::move(database)), clock_(clock), options_(options) {}

Catalogue::~Catalogue() = default;

absl::StatusOr<std::unique_ptr<Catalogue>> Catalogue::Open(const std::string& path, Clock& clock,
                                                           CatalogueOptions options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  RETURN_IF_ERROR(Migrate(*database));
  return std::unique_ptr<Catalogue>(new Catalogue(std::move(database), clock, options));
}

absl::Status Catalogue::Begin() { return database_->Execute("BEGIN IMMEDIATE"); }

absl::Status Catalogue::End(bool commit) {
  absl::Status status = database_->Execute(commit ? "COMMIT" : "ROLLBACK");
  // A commit that fails (a full disk) leaves the transaction open.
  if (!status.ok() && commit) static_cast<void>(database_->Execute("ROLLBACK"));
  return status;
}

void Catalogue::Notify(const Notifications& notifications) {
  if (notifications.task_queued && listener_.on_task_queued) listener_.on_task_queued();
  if (listener_.on_job_event) {
    for (const JobNews& news : notifications.jobs) listener_.on_job_event(news);
  }
  if (listener_.on_plan_finished) {
    for (const std::string& plan : notifications.plans) listener_.on_plan_finished(plan);
  }
}

absl::StatusOr<std::string> Catalogue::FindBlob(const BlobId& blob) {
  return Transact([&]() -> absl::StatusOr<std::string> {
    Statement find = database_->Prepare("SELECT object_key FROM blobs WHERE sha256=? AND size=?");
    find.BindAll(blob.sha256, blob.size);
    ASSIGN_OR_RETURN(bool found, find.Step());
    if (!found) return ResourceNotFound("blob", blob.sha256);
    return find.Text(0);
  });
}

absl::StatusOr<UploadRecord> Catalogue::BeginUpload(const BlobId& blob) {
  return Transact([&]() -> absl::StatusOr<UploadRecord> {
    RETURN_IF_ERROR(
        database_->Prepare("INSERT INTO uploads(id, sha256, size) VALUES (?,?,?) ON CONFLICT DO NOTHING")
            .BindAll(RandomUuid(), blob.sha256, blob.size)
            .Run());
    Statement find = database_->Prepare("SELECT id FROM uploads WHERE sha256=? AND size=?");
    find.BindAll(blob.sha256, blob.size);
    RETURN_IF_ERROR(find.Step().status());
    return UploadRecord{find.Text(0), blob, ""};
  });
}

absl::StatusOr<UploadRecord> Catalogue::GetUpload(const std::string& id) {
  return Transact([&]() -> absl::StatusOr<UploadRecord> {
    Statement find = database_->Prepare(
        "SELECT sha256, size, coalesce((SELECT path FROM model_files f JOIN models m ON m.id=f.model_id "
        "WHERE "
        "f.sha256=u.sha256 AND f.size=u.size ORDER BY m.sequence, f.position LIMIT 1), '') FROM uploads u "
        "WHERE "
        "id=?");
    find.BindAll(id);
    ASSIGN_OR_RETURN(bool found, find.Step());
    if (!found) return ResourceNotFound("upload", id);
    return UploadRecord{id, {find.Text(0), find.Integer(1)}, find.Text(2)};
  });
}

absl::StatusOr<UploadRecord> Catalogue::FindUpload(const BlobId& blob) {
  return Transact([&]() -> absl::StatusOr<UploadRecord> {
    Statement find = database_->Prepare("SELECT id FROM uploads WHERE sha256=? AND size=?");
    find.BindAll(blob.sha256, blob.size);
    ASSIGN_OR_RETURN(bool found, find.Step());
    if (!found) return ResourceNotFound("upload", blob.sha256);
    return UploadRecord{find.Text(0), blob, ""};
  });
}

absl::Status Catalogue::FinishUpload(const std::string& id, const std::string& object_key) {
  return Transact([&]() -> absl::Status {
    Statement find = database_->Prepare("SELECT sha256, size FROM uploads WHERE id=?");
    find.BindAll(id);
    ASSIGN_OR_RETURN(bool found, find.Step());
    if (!found) return ResourceNotFound("upload", id);
    const BlobId blob{find.Text(0), find.Integer(1)};
    RETURN_IF_ERROR(database_->Prepare("INSERT INTO blobs VALUES (?,?,?) ON CONFLICT DO NOTHING")
                        .BindAll(blob.sha256, blob.size, object_key)
                        .Run());
    RETURN_IF_ERROR(database_->Prepare("DELETE FROM uploads WHERE id=?").BindAll(id).Run());
    std::vector<std::string> models;
    Statement waiting = database_->Prepare(
        "SELECT DISTINCT model_id FROM model_files JOIN models ON models.id=model_id WHERE sha256=? AND "
        "size=? AND state=?");
    waiting.BindAll(blob.sha256, blob.size, static_cast<int64_t>(ModelState::kUploading));
    for (;;) {
      ASSIGN_OR_RETURN(bool row, waiting.Step());
      if (!row) break;
      models.push_back(waiting.Text(0));
    }
    for (const std::string& model : models) RETURN_IF_ERROR(InspectIfComplete(model));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> Catalogue::CollectBlobs() {
  constexpr char kUnused[] =
      " FROM blobs WHERE NOT EXISTS (SELECT 1 FROM model_files f WHERE f.sha256=blobs.sha256 AND "
      "f.size=blobs.size)"
      " AND NOT EXISTS (SELECT 1 FROM job_artifacts a WHERE a.sha256=blobs.sha256 AND a.size=blobs.size)";
  std::vector<std::string> keys;
  Statement unused = database_->Prepare(std::string("SELECT object_key") + kUnused);
  for (;;) {
    ASSIGN_OR_RETURN(bool row, unused.Step());
    if (!row) break;
    keys.push_back(unused.Text(0));
  }
  RETURN_IF_ERROR(database_->Execute(std::string("DELETE") + kUnused));
  return keys;
}

absl::StatusOr<std::vector<std::string>> Catalogue::DropUploads() {
  constexpr char kUnused[] =
      " FROM uploads WHERE NOT EXISTS (SELECT 1 FROM model_files f WHERE f.sha256=uploads.sha256 AND "
      "f.size=uploads.size)";
  std::vector<std::string> ids;
  Statement unused = database_->Prepare(std::string("SELECT id") + kUnused);
  for (;;) {
    ASSIGN_OR_RETURN(bool row, unused.Step());
    if (!row) break;
    ids.push_back(unused.Text(0));
  }
  RETURN_IF_ERROR(database_->Execute(std::string("DELETE") + kUnused));
  return ids;
}

}  // namespace quantd
