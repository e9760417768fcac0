// From a failed call to what quantctl says and how it ends.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace quantd {

// Exit codes, fixed by the contract with scripts.
enum ExitCode {
  kDone = 0,
  kJobFailed = 1,
  kWrongUsage = 2,
  kUnreachable = 3,
  kNotFound = 4,
  kRefused = 5,
  kBadRequest = 6,
};

absl::Status FromGrpc(const grpc::Status& status);

// For errors of calls and of local files.
ExitCode ExitCodeOf(const absl::Status& status);

// A job that ended without success: 6 when the model or the request was bad, else 1.
ExitCode ExitCodeOfJob(int error_code);

}  // namespace quantd
