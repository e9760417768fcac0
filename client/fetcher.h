// Brings artifacts into a folder: resumable, digests checked, files appear whole or not at all.
#pragma once

#include <string>
#include <vector>

#include "client/connection.h"

namespace quantd {

// Writes DIRECTORY/TARGET_DIRECTORY/PATH for each file of the results. A file that is there with the right
// digest is kept; FILE.part of an earlier fetch is gone on with.
absl::Status FetchResults(Connection& connection, const std::vector<v1::TargetResult>& results,
                          const std::string& directory);

}  // namespace quantd
