// Bearer tokens.
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {
namespace {

std::optional<absl::Time> OptionalTime(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return absl::FromUnixMicros(row.Integer(column));
}

// The sequence number before which the page begins that follows the record of that id.
absl::StatusOr<int64_t> PageBegin(Transaction& sql, const std::string& last_id) {
  if (last_id.empty()) return std::numeric_limits<int64_t>::max();
  auto find = sql.Prepare("SELECT sequence FROM tokens WHERE id=?");
  find->BindAll(last_id);
  ASSIGN_OR_RETURN(bool found, find->Step());
  if (!found) return InvalidField("page_token", "is not one that a list returned");
  return find->Integer(0);
}

}  // namespace

absl::StatusOr<TokenRecord> Catalogue::CreateToken(TokenRecord token) {
  return Transact([&](Change& change) -> absl::StatusOr<TokenRecord> {
    const int64_t expires = token.expire_time.has_value() ? absl::ToUnixMicros(*token.expire_time) : 0;
    RETURN_IF_ERROR(
        change.sql
            .Prepare("INSERT INTO tokens(id, tenant, role, name, salt, hash, create_time, expire_time)"
                     " VALUES (?,?,?,?,?,?,?,nullif(CAST(? AS BIGINT),0))")
            ->BindAll(token.id, token.tenant, token.role, token.name, token.salt, token.hash,
                      absl::ToUnixMicros(change.sql.Now()), expires)
            .Run());
    return ReadToken(change.sql, token.id);
  });
}

absl::StatusOr<TokenRecord> Catalogue::ReadToken(Transaction& sql, const std::string& id) {
  auto find = sql.Prepare(
      "SELECT tenant, role, name, salt, hash, create_time, expire_time, revoke_time FROM tokens WHERE id=?");
  find->BindAll(id);
  ASSIGN_OR_RETURN(bool found, find->Step());
  if (!found) return ResourceNotFound("token", absl::StrCat("tokens/", id));
  TokenRecord token;
  token.id = id;
  token.tenant = find->Text(0);
  token.role = find->Text(1);
  token.name = find->Text(2);
  token.salt = find->Text(3);
  token.hash = find->Text(4);
  token.create_time = absl::FromUnixMicros(find->Integer(5));
  token.expire_time = OptionalTime(*find, 6);
  token.revoke_time = OptionalTime(*find, 7);
  return token;
}

absl::StatusOr<TokenRecord> Catalogue::GetToken(const std::string& id) {
  return Read([&](Transaction& sql) { return ReadToken(sql, id); });
}

absl::StatusOr<Page<TokenRecord>> Catalogue::ListTokens(int page_size, const std::string& page_token) {
  return Read([&](Transaction& sql) -> absl::StatusOr<Page<TokenRecord>> {
    ASSIGN_OR_RETURN(const int64_t before, PageBegin(sql, page_token));
    auto list = sql.Prepare("SELECT id FROM tokens WHERE sequence<? ORDER BY sequence DESC LIMIT ?");
    list->BindAll(before, static_cast<int64_t>(page_size) + 1);
    Page<TokenRecord> page;
    for (;;) {
      ASSIGN_OR_RETURN(bool row, list->Step());
      if (!row) return page;
      if (page.records.size() == static_cast<size_t>(page_size)) {
        page.next_token = page.records.back().id;
        return page;
      }
      ASSIGN_OR_RETURN(TokenRecord token, ReadToken(sql, list->Text(0)));
      page.records.push_back(std::move(token));
    }
  });
}

absl::StatusOr<TokenRecord> Catalogue::RevokeToken(const std::string& id) {
  return Transact([&](Change& change) -> absl::StatusOr<TokenRecord> {
    RETURN_IF_ERROR(change.sql.Prepare("UPDATE tokens SET revoke_time=? WHERE id=? AND revoke_time IS NULL")
                        ->BindAll(absl::ToUnixMicros(change.sql.Now()), id)
                        .Run());
    return ReadToken(change.sql, id);
  });
}

}  // namespace quantd
