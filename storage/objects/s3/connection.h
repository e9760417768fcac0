// Signed requests to one bucket, tried again where that can help.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "storage/objects/s3/credentials.h"
#include "storage/objects/s3/environment.h"
#include "storage/objects/s3/location.h"
#include "storage/objects/s3/signature.h"

namespace quantd::s3 {

struct Options {
  HttpTimeouts timeouts;
  // The n-th try waits a random time of up to first_delay · 2ⁿ, at most longest_delay.
  int most_tries = 6;
  absl::Duration first_delay = absl::Milliseconds(100);
  absl::Duration longest_delay = absl::Seconds(5);
  // Multipart uploads that began longer ago belong to nobody any more.
  absl::Duration stale_after = absl::Hours(7 * 24);
  Environment environment = ProcessEnvironment();
  std::shared_ptr<Clock> clock = std::make_shared<SystemClock>();
};

struct Request {
  std::string what;  // for messages: "read blobs/x"
  std::string method = "GET";
  std::string key{};  // the whole key; empty: the bucket itself
  NameValues query{};
  NameValues headers{};
  std::span<const std::byte> body{};  // must stay valid during the call
  uint64_t most_answer = 8 << 20;
  // The operation may answer 200 and tell its failure in the body.
  bool may_fail_late = false;
  const std::atomic<bool>* cancelled = nullptr;
};

// Safe for concurrent use.
class Connection {
 public:
  Connection(Location location, Options options);

  // The answer, with a status of 2xx; any other becomes an error (errors.h). A request that changes something
  // may have been done although it failed, or more than once.
  absl::StatusOr<HttpResponse> Send(const Request& request);

  // A URL that anybody can GET the object with. INVALID_ARGUMENT unless the lifetime is 1 second to 7 days.
  absl::StatusOr<std::string> PresignGet(const std::string& key, absl::Duration lifetime);

  const Location& location() const { return location_; }
  const Options& options() const { return options_; }

 private:
  absl::StatusOr<HttpResponse> SendOnce(const Request& request);
  // Sleeps before the try that follows `tries` others, unless the request is cancelled.
  void WaitForTry(int tries, const Request& request);

  const Location location_;
  const Options options_;
  HttpClient http_;
  CredentialSource credentials_;
};

}  // namespace quantd::s3
