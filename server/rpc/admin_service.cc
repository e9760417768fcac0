#include "server/rpc/admin_service.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "server/auth/access.h"
#include "server/auth/bearer_token.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/convert.h"
#include "server/rpc/model_service.h"
#include "server/rpc/resource_names.h"

namespace quantd {
namespace {

constexpr int64_t kMostLifetimeSeconds = int64_t{100} * 366 * 24 * 3600;

absl::StatusOr<std::optional<absl::Time>> ExpiryOf(const v1::CreateTokenRequest& request) {
  if (!request.has_lifetime()) return std::nullopt;
  const int64_t seconds = request.lifetime().seconds();
  if (seconds < 1 || seconds > kMostLifetimeSeconds)
    return InvalidField("lifetime", "is not between a second and 100 years");
  return absl::Now() + absl::Seconds(seconds);
}

}  // namespace

absl::Status AdminServiceImpl::CheckTenant(const std::string& tenant) const {
  if (!IsTenantId(tenant)) return InvalidField("tenant", "is not 1 to 63 of [a-z0-9-]");
  const std::optional<std::vector<std::string>> tenants = context_.access.tenants();
  if (!tenants.has_value() || std::find(tenants->begin(), tenants->end(), tenant) != tenants->end())
    return absl::OkStatus();
  return InvalidField("tenant", absl::StrCat("\"", tenant, "\" is not in the access file; there are ",
                                             absl::StrJoin(*tenants, ", ")));
}

grpc::ServerUnaryReactor* AdminServiceImpl::CollectGarbage(grpc::CallbackServerContext* call,
                                                           const v1::CollectGarbageRequest* request,
                                                           v1::CollectGarbageResponse* response) {
  return AnswerOnDisk(context_, call, "/quantd.v1.AdminService/CollectGarbage",
                      [this, request, response](const Caller& /*caller*/, CallScope& scope) -> absl::Status {
                        scope.SetResource(request->dry_run() ? "dry run" : "");
                        ASSIGN_OR_RETURN(*response, collector_.Collect(request->dry_run()));
                        return absl::OkStatus();
                      });
}

grpc::ServerUnaryReactor* AdminServiceImpl::CreateToken(grpc::CallbackServerContext* call,
                                                        const v1::CreateTokenRequest* request,
                                                        v1::CreateTokenResponse* response) {
  return Answer(context_, call, "/quantd.v1.AdminService/CreateToken",
                [&](const Caller& /*caller*/, CallScope& scope) -> absl::Status {
                  const std::string tenant = request->tenant().empty() ? kDefaultTenant : request->tenant();
                  RETURN_IF_ERROR(CheckTenant(tenant));
                  const std::optional<Role> role = ParseRole(request->role());
                  if (!role.has_value())
                    return InvalidField("role", "is none of viewer, submitter, admin, worker");
                  if (request->display_name().size() > 200)
                    return InvalidField("display_name", "is longer than 200 bytes");
                  ASSIGN_OR_RETURN(const std::optional<absl::Time> expires, ExpiryOf(*request));
                  NewToken token = MakeToken(tenant, *role, request->display_name(), expires);
                  ASSIGN_OR_RETURN(const TokenRecord record,
                                   context_.catalogue.CreateToken(std::move(token.record)));
                  *response->mutable_token() = ToProto(record);
                  response->set_text(token.text);
                  scope.SetResource(response->token().name());
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* AdminServiceImpl::ListTokens(grpc::CallbackServerContext* call,
                                                       const v1::ListTokensRequest* request,
                                                       v1::ListTokensResponse* response) {
  return Answer(context_, call, "/quantd.v1.AdminService/ListTokens",
                [&](const Caller& /*caller*/, CallScope& /*scope*/) -> absl::Status {
                  ASSIGN_OR_RETURN(const int page_size, PageSize(request->page_size()));
                  ASSIGN_OR_RETURN(const Page<TokenRecord> page,
                                   context_.catalogue.ListTokens(page_size, request->page_token()));
                  for (const TokenRecord& record : page.records) *response->add_tokens() = ToProto(record);
                  response->set_next_page_token(page.next_token);
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* AdminServiceImpl::RevokeToken(grpc::CallbackServerContext* call,
                                                        const v1::RevokeTokenRequest* request,
                                                        v1::Token* response) {
  return Answer(context_, call, "/quantd.v1.AdminService/RevokeToken",
                [&](const Caller& /*caller*/, CallScope& scope) -> absl::Status {
                  scope.SetResource(request->name());
                  ASSIGN_OR_RETURN(const std::string id, ParseName("tokens", request->name()));
                  ASSIGN_OR_RETURN(const TokenRecord record, context_.catalogue.RevokeToken(id));
                  *response = ToProto(record);
                  return absl::OkStatus();
                });
}

}  // namespace quantd
