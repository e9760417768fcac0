// Early return on absl errors, and statuses that carry what a caller's error details need.
//
// Inside the project an error is an absl::Status. What google.rpc error details say beside the message (the
// field that is wrong, the resource that is missing, when to retry) rides along as a payload;
// server/rpc/status_mapping.cc makes the details of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace quantd {

// INVALID_ARGUMENT about one field of a request, e.g. "targets[0].scheme". Becomes BadRequest.
absl::Status InvalidField(std::string_view field, std::string_view description);
// The same status about that field, its message as it is; nothing is added when `field` is empty.
absl::Status WithField(absl::Status status, std::string_view field);
// FAILED_PRECONDITION: `subject` ("models/7") is not in the state that the call needs. Becomes
// PreconditionFailure.
absl::Status PreconditionFailed(std::string_view subject, std::string_view description);
// NOT_FOUND. Becomes ResourceInfo; `type` is "model", "job", "blob", ….
absl::Status ResourceNotFound(std::string_view type, std::string_view name);
// UNAVAILABLE or RESOURCE_EXHAUSTED with the time after which another try may work. Becomes RetryInfo.
absl::Status RetryAfter(absl::StatusCode code, std::string_view message, absl::Duration delay);

// What the functions above attached.
std::optional<std::string> FieldOf(const absl::Status& status);
std::optional<std::string> SubjectOf(const absl::Status& status);
struct ResourceRef {
  std::string type;
  std::string name;
};
std::optional<ResourceRef> ResourceOf(const absl::Status& status);
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

// The same status with "`where`: " before its message; payloads stay.
absl::Status Annotate(const absl::Status& status, std::string_view where);

// A status of `errno`'s kind: ENOSPC → RESOURCE_EXHAUSTED, ENOENT → NOT_FOUND, EACCES → PERMISSION_DENIED,
// else INTERNAL.
absl::Status ErrnoStatus(int error_number, std::string_view what);

}  // namespace quantd

// NOLINTBEGIN(bugprone-macro-parentheses): names and declarations can not stand in parentheses
#define QUANTD_CONCAT_INNER(a, b) a##b
#define QUANTD_CONCAT(a, b) QUANTD_CONCAT_INNER(a, b)

// Returns the status from the enclosing function when it is an error.
#define RETURN_IF_ERROR(expression) \
  RETURN_IF_ERROR_INNER(QUANTD_CONCAT(quantd_status_, __COUNTER__), expression)
#define RETURN_IF_ERROR_INNER(holder, expression)                        \
  do {                                                                   \
    if (absl::Status holder = (expression); !holder.ok()) return holder; \
  } while (false)

// ASSIGN_OR_RETURN(auto x, Make()): x is the value, or the function returns Make's error.
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(QUANTD_CONCAT(quantd_or_, __COUNTER__), declaration, expression)
#define ASSIGN_OR_RETURN_INNER(holder, declaration, expression) \
  auto holder = (expression);                                   \
  if (!holder.ok()) return std::move(holder).status();          \
  declaration = *std::move(holder)
// NOLINTEND(bugprone-macro-parentheses)
