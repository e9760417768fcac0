#include "client/errors.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd {
namespace {

// Appends "subject: description" to the message, leaving out what it says already.
void Mention(std::string& message, const std::string& subject, const std::string& description) {
  const bool has_subject = subject.empty() || absl::StrContains(message, subject);
  const bool has_description = description.empty() || absl::StrContains(message, description);
  if (has_subject && has_description) return;
  const bool subject_is_told = subject.empty() || absl::StrContains(description, subject);
  absl::StrAppend(&message, message.empty() ? "" : "; ", subject_is_told ? "" : subject,
                  subject_is_told || has_description ? "" : ": ", has_description ? "" : description);
}

template <typename Detail, typename Use>
void ForEach(const google::rpc::Status& rich, Use use) {
  for (const google::protobuf::Any& any : rich.details()) {
    if (Detail detail; any.Is<Detail>() && any.UnpackTo(&detail)) use(detail);
  }
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  std::string message = status.error_message();
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return absl::Status(code, message);
  ForEach<google::rpc::BadRequest>(rich, [&](const auto& detail) {
    for (const auto& violation : detail.field_violations())
      Mention(message, violation.field(), violation.description());
  });
  ForEach<google::rpc::PreconditionFailure>(rich, [&](const auto& detail) {
    for (const auto& violation : detail.violations())
      Mention(message, violation.subject(), violation.description());
  });
  ForEach<google::rpc::QuotaFailure>(rich, [&](const auto& detail) {
    // quantd's message names the tenant.
    for (const auto& violation : detail.violations()) Mention(message, "", violation.description());
  });
  ForEach<google::rpc::ResourceInfo>(
      rich, [&](const auto& detail) { Mention(message, detail.resource_name(), detail.description()); });
  absl::Status out(code, message);
  ForEach<google::rpc::RetryInfo>(rich, [&](const auto& detail) {
    out = RetryAfter(
        code, message,
        absl::Seconds(detail.retry_delay().seconds()) + absl::Nanoseconds(detail.retry_delay().nanos()));
  });
  return out;
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

std::string AdviceFor(const absl::Status& status, const std::string& server) {
  const std::optional<absl::Duration> delay = RetryDelayOf(status);
  if (delay.has_value() && (absl::IsResourceExhausted(status) || absl::IsUnavailable(status)))
    return absl::StrCat("try again in ", absl::FormatDuration(*delay));
  if (absl::IsUnavailable(status)) {
    return absl::StrCat("check that quantd serves at ", server,
                        "; --server or QUANTD_SERVER names another address");
  }
  if (absl::IsUnauthenticated(status))
    return "give a bearer token with --token-file, or a certificate with --cert and --key";
  if (absl::IsPermissionDenied(status) && absl::StrContains(status.message(), "needs the role"))
    return "whoever runs the server gives tokens of other roles: quantctl admin token create";
  return "";
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

}  // namespace quantd
