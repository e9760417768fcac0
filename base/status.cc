#include "base/status.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace quantd {
namespace {

constexpr char kFieldUrl[] = "quantd/field";
constexpr char kSubjectUrl[] = "quantd/subject";
constexpr char kResourceTypeUrl[] = "quantd/resource_type";
constexpr char kResourceNameUrl[] = "quantd/resource_name";
constexpr char kRetryUrl[] = "quantd/retry_delay";

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

std::optional<std::string> Payload(const absl::Status& status, const char* url) {
  absl::optional<absl::Cord> payload = status.GetPayload(url);
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

void SetPayload(absl::Status& status, const char* url, std::string_view value) {
  status.SetPayload(url, absl::Cord(Abseil(value)));
}

}  // namespace

absl::Status InvalidField(std::string_view field, std::string_view description) {
  absl::Status status = absl::InvalidArgumentError(absl::StrCat(Abseil(field), ": ", Abseil(description)));
  SetPayload(status, kFieldUrl, field);
  return status;
}

absl::Status WithField(absl::Status status, std::string_view field) {
  if (!field.empty()) SetPayload(status, kFieldUrl, field);
  return status;
}

absl::Status PreconditionFailed(std::string_view subject, std::string_view description) {
  absl::Status status =
      absl::FailedPreconditionError(absl::StrCat(Abseil(subject), ": ", Abseil(description)));
  SetPayload(status, kSubjectUrl, subject);
  return status;
}

absl::Status ResourceNotFound(std::string_view type, std::string_view name) {
  absl::Status status =
      absl::NotFoundError(absl::StrCat("there is no ", Abseil(type), " named \"", Abseil(name), "\""));
  SetPayload(status, kResourceTypeUrl, type);
  SetPayload(status, kResourceNameUrl, name);
  return status;
}

absl::Status RetryAfter(absl::StatusCode code, std::string_view message, absl::Duration delay) {
  absl::Status status(code, Abseil(message));
  SetPayload(status, kRetryUrl, absl::FormatDuration(delay));
  return status;
}

std::optional<std::string> FieldOf(const absl::Status& status) { return Payload(status, kFieldUrl); }
std::optional<std::string> SubjectOf(const absl::Status& status) { return Payload(status, kSubjectUrl); }

std::optional<ResourceRef> ResourceOf(const absl::Status& status) {
  std::optional<std::string> type = Payload(status, kResourceTypeUrl);
  std::optional<std::string> name = Payload(status, kResourceNameUrl);
  if (!type.has_value() || !name.has_value()) return std::nullopt;
  return ResourceRef{*std::move(type), *std::move(name)};
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  std::optional<std::string> text = Payload(status, kRetryUrl);
  absl::Duration delay;
  if (!text.has_value() || !absl::ParseDuration(*text, &delay)) return std::nullopt;
  return delay;
}

absl::Status Annotate(const absl::Status& status, std::string_view where) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(Abseil(where), ": ", status.message()));
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { annotated.SetPayload(url, payload); });
  return annotated;
}

absl::Status ErrnoStatus(int error_number, std::string_view what) {
  std::string message = absl::StrCat(Abseil(what), ": ", std::strerror(error_number));
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace quantd
