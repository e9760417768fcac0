#include "credentials/caller_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/random_access_file.h"
#include "base/secret_file.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr uint64_t kMostPemBytes = 1 << 20;
constexpr uint64_t kMostTokenBytes = 8192;
// Of the TLS files.
constexpr unsigned kSecondsBetweenReads = 5;

absl::Status CheckPem(const std::string& text, const std::string& path, const char* what) {
  if (absl::StrContains(text, "-----BEGIN ")) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": has no ", what, " in PEM form"));
}

absl::Status CheckCertificates(const std::string& path) {
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = OpenLocalFile(path);
  if (!file.ok()) return file.status();
  ASSIGN_OR_RETURN(const std::string text, ReadAll(**file, kMostPemBytes));
  return CheckPem(text, path, "certificate");
}

absl::Status CheckKey(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadSecretFile(path, kMostPemBytes));
  return CheckPem(text, path, "private key");
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadSecretFile(path, kMostTokenBytes));
  const std::string token(absl::StripAsciiWhitespace(text));
  // What a header can carry.
  const bool valid = !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (!valid) return absl::InvalidArgumentError(absl::StrCat(path, ": does not hold one bearer token"));
  return token;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelOf(const CallerFiles& files) {
  if (files.certificate.empty() != files.key.empty())
    return absl::InvalidArgumentError("a certificate and its key go together: give --cert and --key");
  if (files.ca.empty()) {
    if (!files.certificate.empty())
      return absl::InvalidArgumentError(
          "a certificate is for TLS: give --ca, the authority of the server's certificate");
    return grpc::InsecureChannelCredentials();
  }
  RETURN_IF_ERROR(CheckCertificates(files.ca));
  if (!files.certificate.empty()) {
    RETURN_IF_ERROR(CheckCertificates(files.certificate));
    RETURN_IF_ERROR(CheckKey(files.key));
  }
  grpc::experimental::TlsChannelCredentialsOptions tls;
  tls.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.ca, kSecondsBetweenReads));
  tls.watch_root_certs();
  if (!files.certificate.empty()) tls.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(tls);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CallerCredentials>> CallerCredentials::Open(const CallerFiles& files) {
  std::unique_ptr<CallerCredentials> credentials(new CallerCredentials());
  ASSIGN_OR_RETURN(credentials->channel_, ChannelOf(files));
  credentials->token_file_ = files.token_file;
  if (!files.token_file.empty()) {
    ASSIGN_OR_RETURN(credentials->token_, ReadToken(files.token_file));
  }
  return credentials;
}

void CallerCredentials::AddTo(grpc::ClientContext& context) {
  if (token_file_.empty()) return;
  absl::StatusOr<std::string> token = ReadToken(token_file_);
  std::lock_guard lock(mutex_);
  if (token.ok()) token_ = *std::move(token);
  context.AddMetadata("authorization", absl::StrCat("Bearer ", token_));
}

}  // namespace quantd
