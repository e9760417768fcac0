#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/duration.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/text.h"

namespace quantd {
namespace {

struct TokenFlags {
  std::string tenant;
  std::string role;
  std::string name;
  std::string expires;
};

absl::StatusOr<v1::CreateTokenRequest> MakeRequest(const TokenFlags& own) {
  v1::CreateTokenRequest request;
  request.set_tenant(own.tenant);
  request.set_role(own.role);
  request.set_display_name(own.name);
  if (!own.expires.empty()) {
    ASSIGN_OR_RETURN(const absl::Duration lifetime, ParseDuration(own.expires));
    request.mutable_lifetime()->set_seconds(absl::ToInt64Seconds(lifetime));
  }
  return request;
}

std::string State(const v1::Token& token) {
  if (token.has_revoke_time()) return "REVOKED";
  const bool expired =
      token.has_expire_time() && token.expire_time().seconds() <= absl::ToUnixSeconds(absl::Now());
  return expired ? "EXPIRED" : "ACTIVE";
}

std::string Expiry(const v1::Token& token) {
  return token.has_expire_time() ? FormatTime(token.expire_time()) : "never";
}

// The text goes to stdout alone, so that `> FILE` makes a token file of it.
absl::StatusOr<int> Create(Connection& connection, const v1::CreateTokenRequest& request, bool json) {
  v1::CreateTokenResponse response;
  // Not repeated after a lost answer: nobody would know the first token.
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) {
        return connection.admin->CreateToken(&context, request, &response);
      },
      absl::Seconds(30), {.patience = absl::ZeroDuration()}));
  if (json) {
    PrintJson(response);
    return kDone;
  }
  const v1::Token& token = response.token();
  std::printf("%s\n", response.text().c_str());
  std::fprintf(stderr, "%s for %s, role %s, expires: %s; its text is not shown again\n", token.name().c_str(),
               token.tenant().c_str(), token.role().c_str(), Expiry(token).c_str());
  return kDone;
}

absl::StatusOr<int> List(Connection& connection, const PageFlags& page, bool json) {
  ASSIGN_OR_RETURN(const v1::ListTokensResponse all,
                   ListPages<v1::ListTokensResponse>(connection, v1::ListTokensRequest(), page,
                                                     [&](auto* context, const auto& request, auto* next) {
                                                       return connection.admin->ListTokens(context, request,
                                                                                           next);
                                                     }));
  if (json) {
    PrintJson(all);
    return kDone;
  }
  std::vector<std::vector<std::string>> rows = {
      {"TOKEN", "TENANT", "ROLE", "STATE", "CREATED", "EXPIRES", "NAME"}};
  for (const v1::Token& token : all.tokens()) {
    rows.push_back({token.name(), token.tenant(), token.role(), State(token), FormatTime(token.create_time()),
                    Expiry(token), OneLine(token.display_name())});
  }
  PrintTable(rows);
  page.TellNext(all.next_page_token(), json);
  return kDone;
}

absl::StatusOr<int> Revoke(Connection& connection, const std::string& name, bool json) {
  v1::RevokeTokenRequest request;
  request.set_name(name);
  v1::Token token;
  RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
    return connection.admin->RevokeToken(&context, request, &token);
  }));
  if (json) {
    PrintJson(token);
  } else {
    std::printf("%s revoked at %s\n", token.name().c_str(), FormatTime(token.revoke_time()).c_str());
  }
  return kDone;
}

void AddCreate(CLI::App& tokens, GlobalFlags& flags, Action& action) {
  auto own = std::make_shared<TokenFlags>();
  CLI::App* create = tokens.add_subcommand("create", "Make a bearer token; prints its text, once");
  create->add_option("--tenant", own->tenant, "Whose models and jobs its bearer sees; default: default");
  create->add_option("--role", own->role, "viewer reads, submitter writes, admin manages, worker runs tasks")
      ->required()
      ->check(CLI::IsMember({"viewer", "submitter", "admin", "worker"}));
  create->add_option("--name", own->name, "What it is for");
  create->add_option("--expires", own->expires, "After how long: 90d, 12h, 30m, 45s; default: never");
  create->callback([&, own] {
    action = [&, own] {
      absl::StatusOr<v1::CreateTokenRequest> request = MakeRequest(*own);
      if (!request.ok()) return FailUsage(request.status());
      return WithConnection(flags,
                            [&](Connection& server) { return Create(server, *request, flags.json()); });
    };
  });
}

}  // namespace

void AddTokens(CLI::App& admin, GlobalFlags& flags, Action& action) {
  CLI::App* tokens = admin.add_subcommand("token", "Bearer tokens")->require_subcommand(1);
  AddCreate(*tokens, flags, action);
  auto page = std::make_shared<PageFlags>();
  CLI::App* list = tokens->add_subcommand("list", "All tokens, newest first");
  page->AddTo(*list);
  list->callback([&, page] {
    action = [&, page] {
      return WithConnection(flags, [&](Connection& server) { return List(server, *page, flags.json()); });
    };
  });
  auto name = std::make_shared<std::string>();
  CLI::App* revoke = tokens->add_subcommand("revoke", "Refuse a token from now on");
  revoke->add_option("token", *name, "tokens/ID or ID")->required();
  revoke->callback([&, name] {
    action = [&, name] {
      return WithConnection(flags, [&](Connection& server) {
        return Revoke(server, ResourceName("tokens", *name), flags.json());
      });
    };
  });
}

}  // namespace quantd
