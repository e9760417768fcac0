// The one place where an absl::Status becomes a grpc::Status with google.rpc error details.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace quantd {

// Details travel in grpc-status-details-bin: BadRequest, PreconditionFailure, ResourceInfo, QuotaFailure or
// RetryInfo, from the status's payloads, and RequestInfo with the id of the call.
grpc::Status ToGrpc(const absl::Status& status, const std::string& request_id);

}  // namespace quantd
