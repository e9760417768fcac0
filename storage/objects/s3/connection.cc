#include "storage/objects/s3/connection.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status.h"
#include "storage/objects/s3/answers.h"
#include "storage/objects/s3/errors.h"

namespace quantd::s3 {
namespace {

constexpr absl::Duration kLongestLifetime = absl::Hours(7 * 24);

std::string Url(const Location& location, const std::string& path, const std::string& query) {
  return absl::StrCat(location.base_url(), path, query.empty() ? "" : "?", query);
}

std::string Sha256Of(std::span<const std::byte> bytes) {
  Sha256 digest;
  digest.Update(bytes);
  return digest.FinishHex();
}

// S3 has sent 200 before it knew: the body says how it ended.
void TakeLateFailure(HttpResponse& response) {
  if (response.status == 200 && !ParseError(response.body).code.empty()) response.status = 400;
}

}  // namespace

Connection::Connection(Location location, Options options)
    : location_(std::move(location)),
      options_(std::move(options)),
      http_(options_.timeouts, options_.environment("AWS_CA_BUNDLE")),
      credentials_(options_.environment, location_.region, http_, *options_.clock) {}

absl::StatusOr<HttpResponse> Connection::SendOnce(const Request& request) {
  ASSIGN_OR_RETURN(Credentials keys, credentials_.Get());
  const absl::Time now = options_.clock->Now();
  UnsignedRequest to_sign = {request.method, location_.PathOf(request.key), request.query, request.headers,
                             Sha256Of(request.body)};
  // The server computes the body's digest too, and refuses what was damaged on the way.
  to_sign.headers.emplace_back("x-amz-content-sha256", to_sign.payload_sha256);
  to_sign.headers.emplace_back("x-amz-date", AmzDate(now));
  to_sign.headers.emplace_back("host", location_.host());
  if (!keys.session_token.empty()) to_sign.headers.emplace_back("x-amz-security-token", keys.session_token);

  HttpRequest http;
  http.method = request.method;
  http.url = Url(location_, to_sign.path, CanonicalQuery(request.query));
  http.headers = to_sign.headers;
  http.headers.emplace_back("Authorization", Authorization(to_sign, {location_.region, "s3"}, keys, now));
  http.body = request.body;
  http.most_answer = request.most_answer;
  http.cancelled = request.cancelled;
  return http_.Send(http);
}

void Connection::WaitForTry(int tries, const Request& request) {
  const absl::Duration longest =
      std::min(options_.longest_delay, options_.first_delay * (int64_t{1} << std::min(tries, 20)));
  // Many clients that failed at the same moment come back at different ones.
  std::random_device random;
  absl::Duration left = longest * std::uniform_real_distribution<double>(0, 1)(random);
  // In short naps: whoever gives up does not wait for long.
  constexpr absl::Duration kNap = absl::Milliseconds(100);
  while (left > absl::ZeroDuration() && (request.cancelled == nullptr || !*request.cancelled)) {
    absl::SleepFor(std::min(left, kNap));
    left -= kNap;
  }
}

absl::StatusOr<HttpResponse> Connection::Send(const Request& request) {
  bool renewed = false;
  for (int tries = 1;; ++tries) {
    absl::StatusOr<HttpResponse> response = SendOnce(request);
    const bool last = tries >= options_.most_tries;
    if (!response.ok() && (last || !absl::IsUnavailable(response.status())))
      return Annotate(response.status(), absl::StrCat("can not ", request.what));
    if (response.ok()) {
      if (request.may_fail_late) TakeLateFailure(*response);
      if (response->status >= 200 && response->status < 300) return response;
      const bool renew = !renewed && HasExpiredKeys(*response);
      if (renew) credentials_.Forget();
      renewed = renewed || renew;
      if (last || (!renew && !IsTransient(*response)))
        return StatusOf(*response, request.what, location_, options_.clock->Now());
    }
    WaitForTry(tries, request);
    if (request.cancelled != nullptr && *request.cancelled)
      return absl::CancelledError(absl::StrCat("gave up to ", request.what));
  }
}

absl::StatusOr<std::string> Connection::PresignGet(const std::string& key, absl::Duration lifetime) {
  if (lifetime < absl::Seconds(1) || lifetime > kLongestLifetime)
    return absl::InvalidArgumentError("a URL's lifetime is 1 second to 7 days");
  ASSIGN_OR_RETURN(Credentials keys, credentials_.Get());
  const UnsignedRequest request = {
      "GET", location_.PathOf(key), {}, {{"host", location_.host()}}, kUnsignedPayload};
  return Url(location_, request.path,
             PresignedQuery(request, {location_.region, "s3"}, keys, options_.clock->Now(), lifetime));
}

}  // namespace quantd::s3
