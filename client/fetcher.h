// Brings a job's artifacts into a folder, several files at a time (see FetchBlob).
#pragma once

#include <string>
#include <vector>

#include "client/connection.h"

namespace quantd {

// Those of `results` whose directory, FORMAT:SCHEME or whole text one of `wanted` is; all when nothing is
// wanted. NOT_FOUND, with what there is, for one that matches none.
absl::StatusOr<std::vector<v1::TargetResult>> SelectResults(const v1::Job& job,
                                                            const std::vector<std::string>& wanted);

// Writes DIRECTORY/TARGET_DIRECTORY/PATH for each file of the results. INVALID_ARGUMENT, before anything is
// written, when a path climbs out of the directory.
absl::Status FetchResults(Connection& connection, const std::vector<v1::TargetResult>& results,
                          const std::string& directory);

}  // namespace quantd
