#include "client/connection.h"

#include <algorithm>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/random_access_file.h"
#include "base/status.h"
#include "client/errors.h"

namespace quantd {
namespace {

using std::chrono::milliseconds;

constexpr int kTries = 8;
constexpr milliseconds kFirstDelay(100), kLongestDelay(3000);
constexpr uint64_t kMostPemBytes = 1 << 20;

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  if (path.empty()) return std::string();
  ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, OpenLocalFile(path));
  return ReadAll(*file, kMostPemBytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const ConnectionOptions& options) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!options.ca.empty()) {
    grpc::SslCredentialsOptions ssl;
    ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadSmallFile(options.ca));
    ASSIGN_OR_RETURN(ssl.pem_cert_chain, ReadSmallFile(options.certificate));
    ASSIGN_OR_RETURN(ssl.pem_private_key, ReadSmallFile(options.key));
    credentials = grpc::SslCredentials(ssl);
  }
  std::unique_ptr<Connection> connection(new Connection());
  connection->server_ = options.server;
  ASSIGN_OR_RETURN(std::string token, ReadSmallFile(options.token_file));
  connection->token_ = std::string(absl::StripAsciiWhitespace(token));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  auto channel = grpc::CreateCustomChannel(options.server, credentials, arguments);
  connection->models = v1::ModelService::NewStub(channel);
  connection->jobs = v1::JobService::NewStub(channel);
  connection->capabilities = v1::CapabilityService::NewStub(channel);
  connection->bytes = google::bytestream::ByteStream::NewStub(channel);
  return connection;
}

void Connection::Prepare(grpc::ClientContext& context) const {
  if (!token_.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", token_));
}

absl::Status Connection::Call(const std::function<grpc::Status(grpc::ClientContext&)>& call,
                              std::chrono::seconds timeout) {
  return RetryUnavailable(
      [&]() -> absl::Status {
        grpc::ClientContext context;
        Prepare(context);
        context.set_deadline(std::chrono::system_clock::now() + timeout);
        const absl::Status status = FromGrpc(call(context));
        return absl::IsUnavailable(status) ? Annotate(status, absl::StrCat("cannot reach ", server_))
                                           : status;
      },
      [] { return 0; });
}

absl::Status RetryUnavailable(const std::function<absl::Status()>& attempt,
                              const std::function<int64_t()>& progress) {
  milliseconds delay = kFirstDelay;
  int64_t reached = progress();
  absl::Status status;
  for (int tries = 0; tries < kTries; ++tries) {
    status = attempt();
    if (!absl::IsUnavailable(status)) return status;
    if (progress() > reached) {
      reached = progress();
      tries = 0;
      delay = kFirstDelay;
    }
    std::this_thread::sleep_for(delay);
    delay = std::min(delay * 2, kLongestDelay);
  }
  return status;
}

}  // namespace quantd
