// A connection to quantd: the stubs, and what every call carries.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/retry.h"
#include "credentials/caller_credentials.h"
#include "credentials/channel_keeper.h"
#include "google/bytestream/bytestream.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "quantd/v1/admin_service.grpc.pb.h"
#include "quantd/v1/blob_service.grpc.pb.h"
#include "quantd/v1/capability_service.grpc.pb.h"
#include "quantd/v1/job_service.grpc.pb.h"
#include "quantd/v1/model_service.grpc.pb.h"

namespace quantd {

struct ConnectionOptions {
  std::string server = "127.0.0.1:7600";
  CallerFiles credentials;
};

// Safe to use from several threads.
class Connection {
 public:
  // Reads the files of `options`; connects when it is used.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const ConnectionOptions& options);

  // UNAVAILABLE, with the reason, when there is no connection within `patience`.
  absl::Status Reach(absl::Duration patience);

  // Runs a unary call, each try with a deadline of `timeout`, under the rule of RetryUnavailable.
  absl::Status Call(const std::function<grpc::Status(grpc::ClientContext&)>& call,
                    absl::Duration timeout = absl::Seconds(30), const RetryLimits& limits = {}) const;
  // Sets what every call carries, for streams.
  void Prepare(grpc::ClientContext& context) const;
  // The status of an ended call: UNAVAILABLE names the server.
  absl::Status StatusOf(const grpc::Status& status) const;
  // The same for a stream: one that the server cancelled (it drains) is UNAVAILABLE, too, and so is one that
  // another stream keeps waiting for a moment (ABORTED with RetryInfo).
  absl::Status StatusOfStream(const grpc::Status& status) const;

  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::JobService::Stub> jobs;
  std::unique_ptr<v1::CapabilityService::Stub> capabilities;
  std::unique_ptr<v1::AdminService::Stub> admin;
  std::unique_ptr<v1::BlobService::Stub> blobs;
  std::unique_ptr<google::bytestream::ByteStream::Stub> bytes;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;

 private:
  Connection() = default;
  std::string server_;
  std::unique_ptr<CallerCredentials> credentials_;
  std::shared_ptr<grpc::Channel> channel_;
  std::optional<ChannelKeeper> keeper_;
};

}  // namespace quantd
