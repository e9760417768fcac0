// The tables, version by version. A published migration never changes; a new one is appended, to both lists:
// a version has the same tables, with the same columns in the same order, in both dialects.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace quantd {

struct Migration {
  int64_t version;  // of the tables afterwards
  const char* sql;
};

// What brings tables of `version` (0: there are none) to the newest one. FAILED_PRECONDITION when they are
// newer than this program.
absl::StatusOr<std::vector<Migration>> SqliteMigrationsAfter(int64_t version);
absl::StatusOr<std::vector<Migration>> PostgresMigrationsAfter(int64_t version);

}  // namespace quantd
