// What workers report, for all servers.
#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {
namespace {

// Workers have new names at every start: what is so old is nobody's any more.
constexpr absl::Duration kForgetAfter = absl::Hours(1);

}  // namespace

absl::Status Catalogue::ReportWorker(const std::string& id, const std::string& engine_blob) {
  return Transact([&](Change& change) -> absl::Status {
    RETURN_IF_ERROR(change.sql.Prepare("DELETE FROM workers WHERE seen<?")
                        ->BindAll(absl::ToUnixMicros(change.sql.Now() - kForgetAfter))
                        .Run());
    return change.sql
        .Prepare(
            "INSERT INTO workers(id, engine, seen) VALUES (?,?,?)"
            " ON CONFLICT (id) DO UPDATE SET engine=excluded.engine, seen=excluded.seen")
        ->BindAll(id, engine_blob, absl::ToUnixMicros(change.sql.Now()))
        .Run();
  });
}

absl::Status Catalogue::ForgetWorker(const std::string& id) {
  return Transact([&](Change& change) {
    return change.sql.Prepare("DELETE FROM workers WHERE id=?")->BindAll(id).Run();
  });
}

absl::Status Catalogue::ForgetAllWorkers() {
  if (database_->is_shared()) return absl::OkStatus();
  return Transact([&](Change& change) { return change.sql.Prepare("DELETE FROM workers")->Run(); });
}

absl::StatusOr<std::vector<WorkerRecord>> Catalogue::ListWorkers(absl::Duration silence) {
  // A transaction that only reads does not know the time.
  return Transact([&](Change& change) -> absl::StatusOr<std::vector<WorkerRecord>> {
    const absl::Time now = change.sql.Now();
    auto list =
        change.sql.Prepare("SELECT id, engine, seen FROM workers WHERE seen>=? ORDER BY seen DESC, id");
    list->BindAll(absl::ToUnixMicros(now - silence));
    std::vector<WorkerRecord> workers;
    for (;;) {
      ASSIGN_OR_RETURN(const bool row, list->Step());
      if (!row) return workers;
      workers.push_back({list->Text(0), list->Text(1), now - absl::FromUnixMicros(list->Integer(2))});
    }
  });
}

}  // namespace quantd
