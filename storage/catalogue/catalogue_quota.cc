// What a tenant may have at a time.
#include "absl/strings/str_cat.h"
#include "base/quota.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {
namespace {

// A job that waits is gone when it has run or was cancelled.
constexpr absl::Duration kQueueRetry = absl::Seconds(30);

}  // namespace

TenantLimits Catalogue::LimitsOf(const std::string& tenant) const {
  return options_.limits_of ? options_.limits_of(tenant) : TenantLimits{};
}

absl::StatusOr<int64_t> Catalogue::StoredBytes(Transaction& sql, const std::string& tenant) {
  auto query = sql.Prepare(
      "SELECT CAST(coalesce((SELECT sum(size) FROM blobs WHERE tenant=?), 0) + coalesce((SELECT sum(size) "
      "FROM"
      " (SELECT DISTINCT f.sha256, f.size FROM models m JOIN model_files f ON f.model_id=m.id"
      "  WHERE m.tenant=? AND m.state=? AND NOT EXISTS"
      "  (SELECT 1 FROM blobs b WHERE b.tenant=m.tenant AND b.sha256=f.sha256 AND b.size=f.size)) "
      "announced), 0)"
      " AS BIGINT)");
  query->BindAll(tenant, tenant, static_cast<int64_t>(ModelState::kUploading));
  RETURN_IF_ERROR(query->Step().status());
  return query->Integer(0);
}

absl::Status Catalogue::CheckStoredBytes(Transaction& sql, const std::string& tenant, int64_t more) const {
  const int64_t most = LimitsOf(tenant).stored_bytes;
  if (most == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t stored, StoredBytes(sql, tenant));
  if (stored <= most - more) return absl::OkStatus();
  return QuotaExceeded(tenant, "stored_bytes",
                       absl::StrCat("models and artifacts would have more than ", most,
                                    " bytes; delete models or jobs that nobody needs"));
}

absl::Status Catalogue::CheckQueuedJobs(Change& change, const std::string& tenant) const {
  const int64_t most = LimitsOf(tenant).queued_jobs;
  if (most == 0) return absl::OkStatus();
  RETURN_IF_ERROR(LockJobShare(change, tenant));
  auto queued = change.sql.Prepare("SELECT count(*) FROM tasks WHERE token IS NULL AND kind=3 AND tenant=?");
  queued->BindAll(tenant);
  RETURN_IF_ERROR(queued->Step().status());
  if (queued->Integer(0) < most) return absl::OkStatus();
  return QuotaExceeded(tenant, "queued_jobs",
                       absl::StrCat(most, " jobs wait, which is all it may have; cancel some or wait"),
                       kQueueRetry);
}

}  // namespace quantd
