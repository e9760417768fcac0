// AWS Signature Version 4, as the server checks it: HMAC-SHA-256 over a canonical form of the request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "storage/objects/s3/credentials.h"

namespace quantd::s3 {

// In any order; names may repeat.
using NameValues = std::vector<std::pair<std::string, std::string>>;

struct SignedService {
  std::string region;
  std::string service;  // "s3"
};

// A request before it is signed. Every header of it is signed.
struct UnsignedRequest {
  std::string method;
  std::string path;    // percent-encoded, begins with '/'
  NameValues query;    // not encoded
  NameValues headers;  // with "host"
  // Lower-case hexadecimal SHA-256 of the body, or kUnsignedPayload.
  std::string payload_sha256;
};

inline constexpr char kUnsignedPayload[] = "UNSIGNED-PAYLOAD";

// "a=1&b=2": encoded and sorted, as it is signed and as it must be sent.
std::string CanonicalQuery(const NameValues& query);

// "20150830T123600Z", for the header x-amz-date, which must be among the request's.
std::string AmzDate(absl::Time time);

// Value of the header Authorization.
std::string Authorization(const UnsignedRequest& request, const SignedService& service,
                          const Credentials& credentials, absl::Time time);

// The query of a URL that needs no header but those of `request`, from `time` for `lifetime`; the request's
// own query is part of it.
std::string PresignedQuery(const UnsignedRequest& request, const SignedService& service,
                           const Credentials& credentials, absl::Time time, absl::Duration lifetime);

}  // namespace quantd::s3
