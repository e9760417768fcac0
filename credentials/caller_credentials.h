// What quantctl and quantd-worker show to quantd: a certificate, a bearer token, or both.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"

namespace quantd {

struct CallerFiles {
  // PEM files for TLS; without `ca` the connection is plain.
  std::string ca;
  std::string certificate;
  std::string key;
  // Holds a bearer token.
  std::string token_file;
};

// Thread-safe.
class CallerCredentials {
 public:
  // Reads the files. INVALID_ARGUMENT: a certificate without its key or without `ca`, a file that is not what
  // it should be; FAILED_PRECONDITION: others can read the key or the token. Connections that are made later
  // use what the TLS files hold then, or a few seconds before.
  static absl::StatusOr<std::unique_ptr<CallerCredentials>> Open(const CallerFiles& files);

  std::shared_ptr<grpc::ChannelCredentials> channel() const { return channel_; }

  // Gives the call its bearer token. The file is read for each call, because whoever manages it replaces it
  // before the token expires; while it can't be read, the token from before is used.
  void AddTo(grpc::ClientContext& context);

 private:
  CallerCredentials() = default;

  std::string token_file_;
  std::shared_ptr<grpc::ChannelCredentials> channel_;
  std::mutex mutex_;
  std::string token_;
};

}  // namespace quantd
