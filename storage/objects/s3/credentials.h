// The keys that sign requests, found where AWS's tools find them.
#pragma once

#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "storage/objects/s3/environment.h"

namespace quantd::s3 {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty for keys that last
  absl::Time expiry = absl::InfiniteFuture();
};

// The first of these that is there; what is there and incomplete or unreadable is an error, never skipped:
// 1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary keys, AWS_SESSION_TOKEN;
// 2. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN: temporary keys from the security token service, which is
//    AWS's of the region or AWS_ENDPOINT_URL_STS;
// 3. the profile of the credentials file, then of the configuration file (profile_file.h).
// FAILED_PRECONDITION where there are none or what is there can not be used; the message says where it was
// looked for. UNAVAILABLE when the token service does not answer.
//
// Keys that expire are fetched again 5 minutes before they do. Safe for concurrent use.
class CredentialSource {
 public:
  // `http` and `clock` must outlive this.
  CredentialSource(Environment environment, std::string region, HttpClient& http, Clock& clock)
      : environment_(std::move(environment)), region_(std::move(region)), http_(http), clock_(clock) {}

  absl::StatusOr<Credentials> Get();
  // The server says that they have expired: the next Get looks again.
  void Forget();

 private:
  absl::StatusOr<Credentials> Find();

  Environment environment_;
  std::string region_;
  HttpClient& http_;
  Clock& clock_;
  std::mutex mutex_;
  Credentials current_;  // guarded by mutex_; no access key: none yet
};

}  // namespace quantd::s3
