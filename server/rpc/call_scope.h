// One call: who makes it, by which ids logs name it, and how it ends. Every method of every service begins
// with one.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/auth/caller.h"
#include "server/rpc/trace_context.h"
#include "server/server_context.h"

namespace quantd {

// Used by one thread at a time.
class CallScope {
 public:
  // `method` as in "/quantd.v1.JobService/CreateJob". The caller's x-request-id, or a new one, is in the
  // trailing metadata. `context` outlives the scope; `call` is not kept.
  CallScope(ServerContext& context, grpc::CallbackServerContext& call, std::string_view method);

  // The caller, if they may make this call: see Access::Check.
  const absl::StatusOr<Caller>& caller() const { return caller_; }
  // What the call is about, "jobs/ID", for the audit log.
  void SetResource(std::string name) { resource_ = std::move(name); }

  // Once, with how the call ends. A call that changes something, or that was refused, has its line in the
  // audit log, an error of the server's own one in the log. The status carries the request id in its details.
  grpc::Status End(const absl::Status& status);

 private:
  void Log(std::string_view event, const absl::Status& status) const;

  std::string_view method_;
  RequestIds ids_;
  absl::StatusOr<Caller> caller_;
  std::string resource_;
};

// Answers a unary call with what `body` gives, if the caller may make it.
using CallBody = std::function<absl::Status(const Caller&, CallScope&)>;
grpc::ServerUnaryReactor* Answer(ServerContext& context, grpc::CallbackServerContext* call,
                                 std::string_view method, const CallBody& body);
// The same on a thread that may wait for the disk.
grpc::ServerUnaryReactor* AnswerOnDisk(ServerContext& context, grpc::CallbackServerContext* call,
                                       std::string_view method, CallBody body);

}  // namespace quantd
