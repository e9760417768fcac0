// How quantctl and quantd-worker find a server again that was away.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <thread>

namespace quantd {

// Arguments of a channel that looks for its server every 2 s at most.
grpc::ChannelArguments ReconnectSoon();

// Waits for the channel while it has no connection, until the object is destroyed. gRPC reads what a new
// connection is answered only in threads that wait in it: where calls fail at once and are repeated after a
// pause there is none, and a TLS handshake would run out of time again and again. Does not begin to connect.
class ChannelKeeper {
 public:
  explicit ChannelKeeper(std::shared_ptr<grpc::Channel> channel);

 private:
  std::jthread thread_;
};

}  // namespace quantd
