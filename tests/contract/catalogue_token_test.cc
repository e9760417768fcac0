// Bearer tokens in the catalogue.
#include "tests/contract/catalogue_fixture.h"

namespace quantd {
namespace {

class CatalogueTokenTest : public CatalogueTest {
 protected:
  TokenRecord Create(const std::string& id, std::optional<absl::Time> expire_time = std::nullopt) {
    auto token = catalogue_->CreateToken({.id = id,
                                          .tenant = "team-a",
                                          .role = "viewer",
                                          .name = "for people",
                                          .salt = "salt",
                                          .hash = "hash",
                                          .create_time = absl::Time(),
                                          .expire_time = expire_time,
                                          .revoke_time = std::nullopt});
    EXPECT_TRUE(token.ok()) << token.status();
    return token.value_or(TokenRecord{});
  }
};

TEST_P(CatalogueTokenTest, ATokenIsKeptOverARestart) {
  const absl::Time expires = absl::FromUnixSeconds(4'000'000'000);
  const TokenRecord created = Create("a", expires);
  Reopen();
  const absl::StatusOr<TokenRecord> token = catalogue_->GetToken("a");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->tenant, "team-a");
  EXPECT_EQ(token->role, "viewer");
  EXPECT_EQ(token->name, "for people");
  EXPECT_EQ(token->salt, "salt");
  EXPECT_EQ(token->hash, "hash");
  EXPECT_EQ(token->create_time, created.create_time);
  EXPECT_GT(token->create_time, absl::UnixEpoch());
  EXPECT_EQ(token->expire_time, expires);
  EXPECT_EQ(token->revoke_time, std::nullopt);
  EXPECT_EQ(Create("b").expire_time, std::nullopt);
  EXPECT_TRUE(absl::IsNotFound(catalogue_->GetToken("c").status()));
}

TEST_P(CatalogueTokenTest, ARevokedTokenKeepsItsTime) {
  Create("a");
  const absl::StatusOr<TokenRecord> revoked = catalogue_->RevokeToken("a");
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  ASSERT_TRUE(revoked->revoke_time.has_value());
  Advance(absl::Seconds(5));
  EXPECT_EQ(catalogue_->RevokeToken("a")->revoke_time, revoked->revoke_time);
  EXPECT_EQ(catalogue_->GetToken("a")->revoke_time, revoked->revoke_time);
  EXPECT_TRUE(absl::IsNotFound(catalogue_->RevokeToken("b").status()));
}

TEST_P(CatalogueTokenTest, ListsAreNewestFirstInPages) {
  for (const char* id : {"a", "b", "c"}) Create(id);
  const absl::StatusOr<Page<TokenRecord>> first = catalogue_->ListTokens(2, "");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->records.size(), 2u);
  EXPECT_EQ(first->records[0].id, "c");
  const absl::StatusOr<Page<TokenRecord>> second = catalogue_->ListTokens(2, first->next_token);
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_EQ(second->records.size(), 1u);
  EXPECT_EQ(second->records[0].id, "a");
  EXPECT_EQ(second->next_token, "");
  EXPECT_TRUE(absl::IsInvalidArgument(catalogue_->ListTokens(2, "nothing").status()));
}

INSTANTIATE_TEST_SUITE_P(Databases, CatalogueTokenTest, testing::ValuesIn(kDatabaseKinds), NameOf);

}  // namespace
}  // namespace quantd
