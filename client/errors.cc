#include "client/errors.h"

namespace quantd {

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kUnreachable;
    case absl::StatusCode::kNotFound:
      return kNotFound;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kResourceExhausted:
      return kRefused;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return kBadRequest;
    default:
      return kJobFailed;
  }
}

ExitCode ExitCodeOfJob(int error_code) {
  const auto code = static_cast<absl::StatusCode>(error_code);
  return code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kFailedPrecondition
             ? kBadRequest
             : kJobFailed;
}

}  // namespace quantd
