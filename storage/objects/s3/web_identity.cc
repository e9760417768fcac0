#include "storage/objects/s3/web_identity.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/random_access_file.h"
#include "base/status.h"
#include "storage/objects/s3/answers.h"
#include "storage/objects/s3/signature.h"

namespace quantd::s3 {
namespace {

constexpr uint64_t kMostTokenBytes = 64 << 10;

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, OpenLocalFile(path));
  ASSIGN_OR_RETURN(std::string token, ReadAll(*file, kMostTokenBytes));
  absl::StripAsciiWhitespace(&token);
  if (token.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
  return token;
}

}  // namespace

absl::StatusOr<Credentials> AssumeRoleWithWebIdentity(const Environment& environment,
                                                      const std::string& region, HttpClient& http) {
  const std::string role = environment("AWS_ROLE_ARN");
  if (role.empty())
    return absl::FailedPreconditionError("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not");
  absl::StatusOr<std::string> token = ReadToken(environment("AWS_WEB_IDENTITY_TOKEN_FILE"));
  if (!token.ok())
    return absl::FailedPreconditionError(
        absl::StrCat("AWS_WEB_IDENTITY_TOKEN_FILE: ", token.status().message()));
  const std::string session = environment("AWS_ROLE_SESSION_NAME");
  std::string endpoint = environment("AWS_ENDPOINT_URL_STS");
  if (endpoint.empty()) endpoint = absl::StrCat("https://sts.", region, ".amazonaws.com");

  const std::string form = CanonicalQuery({{"Action", "AssumeRoleWithWebIdentity"},
                                           {"Version", "2011-06-15"},
                                           {"RoleArn", role},
                                           {"RoleSessionName", session.empty() ? "quantd" : session},
                                           {"WebIdentityToken", *token}});
  HttpRequest request;
  request.method = "POST";
  request.url = absl::StrCat(endpoint, "/");
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = std::as_bytes(std::span(form));
  ASSIGN_OR_RETURN(HttpResponse response, http.Send(request));
  if (response.status >= 500)
    return absl::UnavailableError(absl::StrCat(endpoint, " answers with status ", response.status));
  if (response.status != 200) {
    const ErrorAnswer error = ParseError(response.body);
    return absl::FailedPreconditionError(absl::StrCat(endpoint, " gives no keys for the role ", role, ": ",
                                                      error.code, " ", error.message, " (status ",
                                                      response.status, ")"));
  }
  return ParseAssumedRole(response.body);
}

}  // namespace quantd::s3
