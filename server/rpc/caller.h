// Who makes a call, and whether they may. Every method of every service begins with Access::Check.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quantd {

enum class Role { kViewer, kSubmitter, kAdmin, kWorker };

struct Caller {
  std::string tenant;
  std::string identity;  // for logs
  Role role = Role::kViewer;
};

// Thread-safe.
class Access {
 public:
  // `method` as in "/quantd.v1.JobService/CreateJob".
  absl::StatusOr<Caller> Check(const grpc::CallbackServerContext& call, std::string_view method) const;
};

}  // namespace quantd
