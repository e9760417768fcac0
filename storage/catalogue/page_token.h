// Page tokens: the last record of a page, "MICROSECONDS.ID" with the time of its creation. They say nothing
// of other tenants' records, and a list goes on where it was when that record is deleted meanwhile.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/catalogue/database.h"

namespace quantd {

std::string MakePageToken(absl::Time create_time, const std::string& id);

// The sequence number before which the next page of `table` ("models", "jobs") begins; the largest one for an
// empty token. INVALID_ARGUMENT for a text that no list returned.
absl::StatusOr<int64_t> PageBegin(Transaction& sql, const char* table, const std::string& tenant,
                                  const std::string& token);

}  // namespace quantd
