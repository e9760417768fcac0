// Blobs and uploads.
#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {
namespace {

// A use is recorded when the last one is so long ago: a fetch reads many pieces.
constexpr absl::Duration kUseResolution = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::string> Catalogue::FindBlob(const std::string& tenant, const BlobId& blob) {
  return Read([&](Transaction& sql) -> absl::StatusOr<std::string> {
    auto find = sql.Prepare("SELECT object_key FROM blobs WHERE tenant=? AND sha256=? AND size=?");
    find->BindAll(tenant, blob.sha256, blob.size);
    ASSIGN_OR_RETURN(bool found, find->Step());
    if (!found) return ResourceNotFound("blob", blob.sha256);
    return find->Text(0);
  });
}

absl::StatusOr<std::string> Catalogue::UseBlob(const std::string& tenant, const BlobId& blob) {
  return Transact([&](Change& change) -> absl::StatusOr<std::string> {
    auto find = change.sql.Prepare("SELECT object_key FROM blobs WHERE tenant=? AND sha256=? AND size=?");
    find->BindAll(tenant, blob.sha256, blob.size);
    ASSIGN_OR_RETURN(const bool found, find->Step());
    if (!found) return ResourceNotFound("blob", blob.sha256);
    const absl::Time now = change.sql.Now();
    auto jobs = change.sql.Prepare(
        "SELECT j.id FROM job_artifacts a JOIN jobs j ON j.id=a.job_id"
        " WHERE a.sha256=? AND a.size=? AND j.tenant=? AND j.use_time<? ORDER BY j.sequence");
    jobs->BindAll(blob.sha256, blob.size, tenant, absl::ToUnixMicros(now - kUseResolution));
    ASSIGN_OR_RETURN(const std::vector<std::string> ids, jobs->Texts());
    for (const std::string& id : ids) {
      RETURN_IF_ERROR(change.sql.Prepare("UPDATE jobs SET use_time=? WHERE id=?")
                          ->BindAll(absl::ToUnixMicros(now), id)
                          .Run());
    }
    return find->Text(0);
  });
}

absl::Status Catalogue::UseUpload(const std::string& tenant, const std::string& id) {
  return Transact([&](Change& change) -> absl::Status {
    auto models = change.sql.Prepare(
        "SELECT DISTINCT m.id, m.sequence FROM uploads u JOIN model_files f ON f.sha256=u.sha256 AND "
        "f.size=u.size"
        " JOIN models m ON m.id=f.model_id AND m.tenant=u.tenant"
        " WHERE u.id=? AND u.tenant=? AND m.use_time<? ORDER BY m.sequence");
    models->BindAll(id, tenant, absl::ToUnixMicros(change.sql.Now() - kUseResolution));
    ASSIGN_OR_RETURN(const std::vector<std::string> ids, models->Texts());
    for (const std::string& model : ids) {
      RETURN_IF_ERROR(UseModel(change, model));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<UploadRecord> Catalogue::BeginUpload(const std::string& tenant, const BlobId& blob) {
  return Transact([&](Change& change) -> absl::StatusOr<UploadRecord> {
    RETURN_IF_ERROR(LockContent(change));
    RETURN_IF_ERROR(
        change.sql
            .Prepare("INSERT INTO uploads(id, sha256, size, tenant) VALUES (?,?,?,?) ON CONFLICT DO NOTHING")
            ->BindAll(RandomUuid(), blob.sha256, blob.size, tenant)
            .Run());
    auto find = change.sql.Prepare("SELECT id FROM uploads WHERE tenant=? AND sha256=? AND size=?");
    find->BindAll(tenant, blob.sha256, blob.size);
    RETURN_IF_ERROR(find->Step().status());
    return UploadRecord{find->Text(0), tenant, blob, ""};
  });
}

absl::StatusOr<UploadRecord> Catalogue::ReadUpload(Transaction& sql, const std::string& id) {
  auto find = sql.Prepare(
      "SELECT tenant, sha256, size, coalesce((SELECT path FROM model_files f JOIN models m ON m.id=f.model_id"
      " WHERE m.tenant=u.tenant AND f.sha256=u.sha256 AND f.size=u.size"
      " ORDER BY m.sequence, f.position LIMIT 1), '') FROM uploads u WHERE id=?");
  find->BindAll(id);
  ASSIGN_OR_RETURN(bool found, find->Step());
  if (!found) return ResourceNotFound("upload", id);
  return UploadRecord{id, find->Text(0), {find->Text(1), find->Integer(2)}, find->Text(3)};
}

absl::StatusOr<UploadRecord> Catalogue::GetUpload(const std::string& tenant, const std::string& id) {
  ASSIGN_OR_RETURN(UploadRecord upload, UploadOfAny(id));
  if (upload.tenant != tenant) return ResourceNotFound("upload", id);
  return upload;
}

absl::StatusOr<UploadRecord> Catalogue::UploadOfAny(const std::string& id) {
  return Read([&](Transaction& sql) { return ReadUpload(sql, id); });
}

absl::StatusOr<UploadRecord> Catalogue::FindUpload(const std::string& tenant, const BlobId& blob) {
  return Read([&](Transaction& sql) -> absl::StatusOr<UploadRecord> {
    auto find = sql.Prepare("SELECT id FROM uploads WHERE tenant=? AND sha256=? AND size=?");
    find->BindAll(tenant, blob.sha256, blob.size);
    ASSIGN_OR_RETURN(bool found, find->Step());
    if (!found) return ResourceNotFound("upload", blob.sha256);
    return UploadRecord{find->Text(0), tenant, blob, ""};
  });
}

absl::Status Catalogue::FinishUpload(const std::string& tenant, const std::string& id,
                                     const std::string& object_key) {
  return Transact([&](Change& change) -> absl::Status {
    RETURN_IF_ERROR(LockContent(change));
    auto find = change.sql.Prepare("SELECT sha256, size FROM uploads WHERE tenant=? AND id=?");
    find->BindAll(tenant, id);
    ASSIGN_OR_RETURN(bool found, find->Step());
    if (!found) return ResourceNotFound("upload", id);
    const BlobId blob{find->Text(0), find->Integer(1)};
    RETURN_IF_ERROR(change.sql.Prepare("INSERT INTO blobs VALUES (?,?,?,?) ON CONFLICT DO NOTHING")
                        ->BindAll(blob.sha256, blob.size, object_key, tenant)
                        .Run());
    RETURN_IF_ERROR(change.sql.Prepare("DELETE FROM uploads WHERE id=?")->BindAll(id).Run());
    auto waiting = change.sql.Prepare(
        "SELECT DISTINCT model_id, sequence FROM model_files JOIN models ON models.id=model_id"
        " WHERE tenant=? AND sha256=? AND size=? AND state=? ORDER BY sequence");
    waiting->BindAll(tenant, blob.sha256, blob.size, static_cast<int64_t>(ModelState::kUploading));
    ASSIGN_OR_RETURN(const std::vector<std::string> models, waiting->Texts());
    for (const std::string& model : models) {
      RETURN_IF_ERROR(UseModel(change, model));
      RETURN_IF_ERROR(InspectIfComplete(change, tenant, model));
    }
    return absl::OkStatus();
  });
}

}  // namespace quantd
