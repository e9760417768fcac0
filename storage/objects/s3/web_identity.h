// Temporary keys for a token that the platform (Kubernetes) wrote to a file: AWS's AssumeRoleWithWebIdentity.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "storage/objects/s3/credentials.h"

namespace quantd::s3 {

// Reads the token anew: the platform replaces it. FAILED_PRECONDITION when AWS_ROLE_ARN or the file is
// missing or the service refuses; UNAVAILABLE when it does not answer.
absl::StatusOr<Credentials> AssumeRoleWithWebIdentity(const Environment& environment,
                                                      const std::string& region, HttpClient& http);

}  // namespace quantd::s3
