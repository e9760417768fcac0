#include "storage/objects/s3/credentials.h"

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/objects/s3/profile_file.h"
#include "storage/objects/s3/web_identity.h"

namespace quantd::s3 {
namespace {

constexpr absl::Duration kRefreshBefore = absl::Minutes(5);

// Both keys or neither; neither is an empty access key.
absl::StatusOr<Credentials> Complete(Credentials credentials, const std::string& where) {
  if (credentials.access_key_id.empty() != credentials.secret_access_key.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(where, " has only one of access key id and secret access key"));
  }
  return credentials;
}

absl::StatusOr<Credentials> FromEnvironment(const Environment& environment) {
  return Complete({environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"),
                   environment("AWS_SESSION_TOKEN")},
                  "the environment");
}

absl::StatusOr<Credentials> FromProfile(Profile profile, const std::string& where) {
  return Complete(
      {profile["aws_access_key_id"], profile["aws_secret_access_key"], profile["aws_session_token"]}, where);
}

}  // namespace

absl::StatusOr<Credentials> CredentialSource::Find() {
  ASSIGN_OR_RETURN(Credentials keys, FromEnvironment(environment_));
  if (!keys.access_key_id.empty()) return keys;
  if (!environment_("AWS_WEB_IDENTITY_TOKEN_FILE").empty())
    return AssumeRoleWithWebIdentity(environment_, region_, http_);
  ASSIGN_OR_RETURN(Profile profile, ReadCredentialsProfile(environment_));
  ASSIGN_OR_RETURN(keys, FromProfile(std::move(profile), CredentialsPath(environment_)));
  if (!keys.access_key_id.empty()) return keys;
  ASSIGN_OR_RETURN(profile, ReadConfigProfile(environment_));
  ASSIGN_OR_RETURN(keys, FromProfile(std::move(profile), ConfigPath(environment_)));
  if (!keys.access_key_id.empty()) return keys;
  return absl::FailedPreconditionError(absl::StrCat(
      "there are no credentials for S3: neither AWS_ACCESS_KEY_ID nor AWS_WEB_IDENTITY_TOKEN_FILE is set, "
      "and neither \"",
      CredentialsPath(environment_), "\" nor \"", ConfigPath(environment_), "\" has a key for the profile \"",
      ProfileName(environment_), "\""));
}

absl::StatusOr<Credentials> CredentialSource::Get() {
  std::lock_guard lock(mutex_);
  const absl::Time now = clock_.Now();
  if (!current_.access_key_id.empty() && now < current_.expiry - kRefreshBefore) return current_;
  absl::StatusOr<Credentials> found = Find();
  if (!found.ok() && !current_.access_key_id.empty() && now < current_.expiry) {
    spdlog::warn("S3 keys can not be renewed yet: {}", std::string(found.status().message()));
    return current_;
  }
  if (!found.ok()) return found.status();
  current_ = *found;
  return current_;
}

void CredentialSource::Forget() {
  std::lock_guard lock(mutex_);
  current_ = {};
}

}  // namespace quantd::s3
