// A connection to quantd: stubs, and the one rule of retrying.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "google/bytestream/bytestream.grpc.pb.h"
#include "quantd/v1/capability_service.grpc.pb.h"
#include "quantd/v1/job_service.grpc.pb.h"
#include "quantd/v1/model_service.grpc.pb.h"

namespace quantd {

struct ConnectionOptions {
  std::string server = "127.0.0.1:7600";
  // PEM files for TLS; without `ca` the connection is plain.
  std::string ca;
  std::string certificate;
  std::string key;
  // Holds a bearer token.
  std::string token_file;
};

class Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const ConnectionOptions& options);

  // Runs a unary call with a deadline of `timeout`. Only UNAVAILABLE is tried again, with backoff, for about
  // ten seconds.
  absl::Status Call(const std::function<grpc::Status(grpc::ClientContext&)>& call,
                    std::chrono::seconds timeout = std::chrono::seconds(30));
  // Sets what every call carries, for streams.
  void Prepare(grpc::ClientContext& context) const;

  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::JobService::Stub> jobs;
  std::unique_ptr<v1::CapabilityService::Stub> capabilities;
  std::unique_ptr<google::bytestream::ByteStream::Stub> bytes;

 private:
  Connection() = default;
  std::string server_;
  std::string token_;
};

// Calls `attempt` until it succeeds, or fails with something else than UNAVAILABLE, or ten tries without
// progress are over. `progress` grows while attempts get further: then the count begins again.
absl::Status RetryUnavailable(const std::function<absl::Status()>& attempt,
                              const std::function<int64_t()>& progress);

}  // namespace quantd
