#include "server/rpc/call_scope.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/printable.h"
#include "server/auth/access.h"
#include "server/auth/policy.h"
#include "server/rpc/status_mapping.h"

namespace quantd {
namespace {

constexpr size_t kLongestText = 500;

void AppendProperties(const grpc::AuthContext& peer, const char* property, std::vector<std::string>& names) {
  for (const grpc::string_ref& value : peer.FindPropertyValues(property))
    names.emplace_back(value.data(), value.size());
}

CallCredentials CredentialsOf(const grpc::CallbackServerContext& call) {
  CallCredentials credentials;
  const auto [first, last] = call.client_metadata().equal_range("authorization");
  for (auto header = first; header != last; ++header)
    credentials.authorization.emplace_back(header->second.data(), header->second.size());
  // gRPC lets no certificate through that it has not verified.
  if (const std::shared_ptr<const grpc::AuthContext> peer = call.auth_context(); peer != nullptr) {
    AppendProperties(*peer, GRPC_X509_CN_PROPERTY_NAME, credentials.certificate_names);
    AppendProperties(*peer, GRPC_X509_SAN_PROPERTY_NAME, credentials.certificate_names);
  }
  return credentials;
}

bool IsRefusal(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
}

bool IsServersFault(const absl::Status& status) {
  return absl::IsInternal(status) || absl::IsUnknown(status) || absl::IsDataLoss(status);
}

}  // namespace

CallScope::CallScope(ServerContext& context, grpc::CallbackServerContext& call, std::string_view method)
    : method_(method), ids_(RequestIdsOf(call)), caller_(context.access.Check(CredentialsOf(call), method)) {
  call.AddTrailingMetadata("x-request-id", ids_.request_id);
}

grpc::Status CallScope::End(const absl::Status& status) {
  const MethodPolicy* policy = FindPolicy(method_);
  if (IsRefusal(status) || (policy != nullptr && policy->changes)) {
    Log("audit", status);
  } else if (IsServersFault(status)) {
    Log("error", status);
  }
  return ToGrpc(status, ids_.request_id);
}

void CallScope::Log(std::string_view event, const absl::Status& status) const {
  const std::string outcome = absl::StatusCodeToString(status.code());
  LogFields fields = {{"event", std::string(event)},
                      {"identity", caller_.ok() ? caller_->identity : ""},
                      {"tenant", caller_.ok() ? caller_->tenant : ""},
                      {"method", std::string(method_)},
                      {"resource", PrintableLine(resource_, kLongestText)},
                      {"outcome", outcome},
                      {"request_id", ids_.request_id}};
  if (!status.ok())
    fields.emplace_back("error",
                        PrintableLine({status.message().data(), status.message().size()}, kLongestText));
  if (!ids_.trace_id.empty()) {
    fields.emplace_back("trace_id", ids_.trace_id);
    fields.emplace_back("span_id", ids_.span_id);
  }
  LogEvent(absl::StrCat(std::string(method_.substr(method_.rfind('/') + 1)), ": ", outcome), fields);
}

grpc::ServerUnaryReactor* Answer(ServerContext& context, grpc::CallbackServerContext* call,
                                 std::string_view method, const CallBody& body) {
  CallScope scope(context, *call, method);
  const absl::StatusOr<Caller>& caller = scope.caller();
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  reactor->Finish(scope.End(caller.ok() ? body(*caller, scope) : caller.status()));
  return reactor;
}

grpc::ServerUnaryReactor* AnswerOnDisk(ServerContext& context, grpc::CallbackServerContext* call,
                                       std::string_view method, CallBody body) {
  auto scope = std::make_shared<CallScope>(context, *call, method);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  if (!scope->caller().ok()) {
    reactor->Finish(scope->End(scope->caller().status()));
    return reactor;
  }
  context.disk.Submit([scope, reactor, body = std::move(body)] {
    reactor->Finish(scope->End(body(*scope->caller(), *scope)));
  });
  return reactor;
}

}  // namespace quantd
