#include "storage/catalogue/page_token.h"

#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace quantd {

std::string MakePageToken(absl::Time create_time, const std::string& id) {
  return absl::StrCat(absl::ToUnixMicros(create_time), ".", id);
}

absl::StatusOr<int64_t> PageBegin(Transaction& sql, const char* table, const std::string& tenant,
                                  const std::string& token) {
  if (token.empty()) return std::numeric_limits<int64_t>::max();
  const std::pair<std::string, std::string> parts = absl::StrSplit(token, absl::MaxSplits('.', 1));
  int64_t create_time = 0;
  if (parts.second.empty() || !absl::SimpleAtoi(parts.first, &create_time))
    return InvalidField("page_token", "is not one that a list returned");
  auto find = sql.Prepare(absl::StrCat("SELECT coalesce((SELECT sequence FROM ", table,
                                       " WHERE tenant=? AND id=?),", " (SELECT max(sequence)+1 FROM ", table,
                                       " WHERE tenant=? AND create_time<=?), 0)"));
  find->BindAll(tenant, parts.second, tenant, create_time);
  RETURN_IF_ERROR(find->Step().status());
  return find->Integer(0);
}

}  // namespace quantd
