#include "client/connection.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "client/errors.h"

namespace quantd {
namespace {

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments = ReconnectSoon();
  arguments.SetMaxReceiveMessageSize(64 << 20);
  // A peer that vanished without closing its connection is noticed during a stream.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  return arguments;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const ConnectionOptions& options) {
  std::unique_ptr<Connection> connection(new Connection());
  connection->server_ = options.server;
  ASSIGN_OR_RETURN(connection->credentials_, CallerCredentials::Open(options.credentials));
  connection->channel_ =
      grpc::CreateCustomChannel(options.server, connection->credentials_->channel(), Arguments());
  connection->keeper_.emplace(connection->channel_);
  connection->models = v1::ModelService::NewStub(connection->channel_);
  connection->jobs = v1::JobService::NewStub(connection->channel_);
  connection->capabilities = v1::CapabilityService::NewStub(connection->channel_);
  connection->admin = v1::AdminService::NewStub(connection->channel_);
  connection->blobs = v1::BlobService::NewStub(connection->channel_);
  connection->bytes = google::bytestream::ByteStream::NewStub(connection->channel_);
  connection->health = grpc::health::v1::Health::NewStub(connection->channel_);
  return connection;
}

absl::Status Connection::Reach(absl::Duration patience) {
  if (channel_->WaitForConnected(absl::ToChronoTime(absl::Now() + patience))) return absl::OkStatus();
  // A call tells why, which waiting for the channel does not.
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(200)));
  v1::Capabilities response;
  const grpc::Status status = capabilities->GetCapabilities(&context, {}, &response);
  return status.ok() ? absl::OkStatus()
                     : StatusOf(grpc::Status(grpc::StatusCode::UNAVAILABLE, status.error_message()));
}

void Connection::Prepare(grpc::ClientContext& context) const { credentials_->AddTo(context); }

absl::Status Connection::StatusOf(const grpc::Status& status) const {
  const absl::Status plain = FromGrpc(status);
  return absl::IsUnavailable(plain) || absl::IsDeadlineExceeded(plain)
             ? Annotate(plain, absl::StrCat("quantd at ", server_))
             : plain;
}

absl::Status Connection::StatusOfStream(const grpc::Status& status) const {
  absl::Status plain = StatusOf(status);
  if (absl::IsCancelled(plain)) return absl::UnavailableError(plain.message());
  if (std::optional<absl::Duration> delay = RetryDelayOf(plain); delay.has_value() && absl::IsAborted(plain))
    return RetryAfter(absl::StatusCode::kUnavailable, std::string(plain.message()), *delay);
  return plain;
}

absl::Status Connection::Call(const std::function<grpc::Status(grpc::ClientContext&)>& call,
                              absl::Duration timeout, const RetryLimits& limits) const {
  return RetryUnavailable(
      [&] {
        grpc::ClientContext context;
        Prepare(context);
        context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
        return StatusOf(call(context));
      },
      [] { return 0; }, limits);
}

}  // namespace quantd
