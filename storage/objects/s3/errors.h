// What an answer of S3 that is no success means.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/http_client.h"
#include "storage/objects/s3/location.h"

namespace quantd::s3 {

// Whether the same request may succeed a moment later: the server's own errors, too many requests, and a body
// that came too slowly.
bool IsTransient(const HttpResponse& response);

// Whether the keys that signed the request have expired.
bool HasExpiredKeys(const HttpResponse& response);

// The status of an answer to `what` ("read blobs/x"), which was signed at `now`:
// NOT_FOUND: no such object or multipart upload. PERMISSION_DENIED: these keys may not do that.
// UNAUTHENTICATED: the server does not know the keys or the secret is wrong, or they have expired.
// ABORTED: the object is not the one that the request was about (412), or others write it (409).
// RESOURCE_EXHAUSTED: a quota. UNAVAILABLE: IsTransient. FAILED_PRECONDITION: the bucket does not exist or is
// in another region, or a clock is wrong. INTERNAL: anything else.
absl::Status StatusOf(const HttpResponse& response, const std::string& what, const Location& location,
                      absl::Time now);

}  // namespace quantd::s3
