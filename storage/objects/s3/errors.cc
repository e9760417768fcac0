#include "storage/objects/s3/errors.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "storage/objects/s3/answers.h"

namespace quantd::s3 {
namespace {

template <size_t kSize>
bool IsOneOf(const std::string& code, const std::array<const char*, kSize>& codes) {
  for (const char* known : codes)
    if (code == known) return true;
  return false;
}

std::string Bucket(const Location& location) {
  return absl::StrCat("the bucket \"", location.bucket, "\" at ", location.endpoint);
}

std::string ClockMessage(const HttpResponse& response, absl::Time now) {
  const std::string date = response.Header("date");
  absl::Time theirs;
  std::string error;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", date, &theirs, &error))
    return "this machine's clock differs too much from the server's";
  return absl::StrCat("this machine's clock says ",
                      absl::FormatTime(absl::RFC3339_sec, now, absl::UTCTimeZone()), " and the server's ",
                      absl::FormatTime(absl::RFC3339_sec, theirs, absl::UTCTimeZone()), ": set it right");
}

absl::StatusCode CodeOf(int status) {
  switch (status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
    case 412:
      return absl::StatusCode::kAborted;
    case 416:
      return absl::StatusCode::kOutOfRange;
    case 507:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

bool IsTransient(const HttpResponse& response) {
  constexpr std::array<const char*, 4> kCodes = {"RequestTimeout", "InternalError", "SlowDown",
                                                 "ServiceUnavailable"};
  if (response.status == 501 || response.status == 505 || response.status == 507) return false;
  return response.status >= 500 || response.status == 429 || IsOneOf(ParseError(response.body).code, kCodes);
}

bool HasExpiredKeys(const HttpResponse& response) {
  constexpr std::array<const char*, 2> kCodes = {"ExpiredToken", "TokenRefreshRequired"};
  return IsOneOf(ParseError(response.body).code, kCodes);
}

absl::Status StatusOf(const HttpResponse& response, const std::string& what, const Location& location,
                      absl::Time now) {
  const ErrorAnswer error = ParseError(response.body);
  const std::string details = absl::StrCat(
      error.code, error.message.empty() || error.code.empty() ? "" : ": ", error.message,
      error.code.empty() ? "status " : " (status ", response.status, error.code.empty() ? "" : ")");
  auto make = [&](absl::StatusCode code, const std::string& message) {
    return absl::Status(code, absl::StrCat("can not ", what, ": ", message));
  };
  if (error.code == "NoSuchBucket")
    return make(absl::StatusCode::kFailedPrecondition, absl::StrCat(Bucket(location), " does not exist"));
  if (error.code == "RequestTimeTooSkewed")
    return make(absl::StatusCode::kFailedPrecondition, ClockMessage(response, now));
  if (IsOneOf(error.code, std::array{"InvalidAccessKeyId", "InvalidToken"})) {
    return make(absl::StatusCode::kUnauthenticated,
                absl::StrCat(location.endpoint, " does not know the access key; ", details));
  }
  if (error.code == "SignatureDoesNotMatch") {
    return make(absl::StatusCode::kUnauthenticated,
                absl::StrCat("the secret key does not belong to the access key; ", details));
  }
  if (HasExpiredKeys(response))
    return make(absl::StatusCode::kUnauthenticated, absl::StrCat("the keys have expired; ", details));
  const std::string region = error.region.empty() ? response.Header("x-amz-bucket-region") : error.region;
  if ((response.status >= 300 && response.status < 400) || error.code == "AuthorizationHeaderMalformed") {
    return make(absl::StatusCode::kFailedPrecondition,
                absl::StrCat(Bucket(location), " is elsewhere",
                             region.empty() ? "" : absl::StrCat(", in the region ", region), "; ", details));
  }
  if (IsOneOf(error.code, std::array{"QuotaExceeded", "EntityTooLarge"}))
    return make(absl::StatusCode::kResourceExhausted, details);
  if (response.status == 403) {
    return make(absl::StatusCode::kPermissionDenied,
                absl::StrCat("the keys may not do that in ", Bucket(location), "; ", details));
  }
  if (IsTransient(response)) return make(absl::StatusCode::kUnavailable, details);
  return make(CodeOf(response.status), details);
}

}  // namespace quantd::s3
