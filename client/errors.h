// From a failed call to what quantctl says and how it ends.
#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

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

// The status with what its google.rpc details add: fields, subjects and resources that the message does not
// name yet are appended to it, a retry delay becomes RetryDelayOf's.
absl::Status FromGrpc(const grpc::Status& status);

// For errors of calls and of local files.
ExitCode ExitCodeOf(const absl::Status& status);

// A job that ended without success: 6 when the model or the request was bad, else 1.
ExitCode ExitCodeOfJob(int error_code);

// What to do about an error that has a remedy, for `server` as it was given; else empty.
std::string AdviceFor(const absl::Status& status, const std::string& server);

// `text` on one line: control characters, which a server's answer or a file's name may hold, become spaces.
std::string OneLine(std::string_view text);

}  // namespace quantd
