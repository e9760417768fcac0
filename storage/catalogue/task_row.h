// Reading a row of `tasks`.
#pragma once

#include "storage/catalogue/database.h"
#include "storage/catalogue/records.h"

namespace quantd {

inline constexpr char kTaskColumns[] = "id, tenant, kind, model_id, job_id, targets, priority";
inline constexpr int kTaskColumnCount = 7;

// A row of a SELECT that begins with kTaskColumns.
inline TaskRecord ReadTask(const Statement& row) {
  return {row.Text(0), row.Text(1),   static_cast<TaskKind>(row.Integer(2)), row.Text(3), row.Text(4),
          row.Text(5), row.Integer(6)};
}

}  // namespace quantd
