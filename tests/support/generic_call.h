// Calls any method by its name.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace quantd {

using CallMetadata = std::vector<std::pair<std::string, std::string>>;

struct GenericAnswer {
  grpc::Status status;
  std::vector<std::string> messages;  // serialized
  std::multimap<std::string, std::string> trailing_metadata;
};

// Sends one message, ends its side and reads to the end, whatever kind of streaming the method has.
GenericAnswer CallByName(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                         const std::string& request, const CallMetadata& metadata,
                         std::chrono::seconds timeout = std::chrono::seconds(20));

}  // namespace quantd
