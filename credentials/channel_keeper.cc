#include "credentials/channel_keeper.h"

#include <chrono>
#include <stop_token>
#include <utility>

#include "base/pause.h"

namespace quantd {
namespace {

// Between looks at the channel, and at whether somebody waits for this thread.
constexpr std::chrono::milliseconds kLook(50);

void Keep(grpc::Channel& channel, const std::stop_token& stopping) {
  while (!stopping.stop_requested()) {
    const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/false);
    if (state == GRPC_CHANNEL_CONNECTING || state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
      channel.WaitForStateChange(state, std::chrono::system_clock::now() + kLook);
    } else {
      Pause(kLook, stopping);
    }
  }
}

}  // namespace

grpc::ChannelArguments ReconnectSoon() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return arguments;
}

ChannelKeeper::ChannelKeeper(std::shared_ptr<grpc::Channel> channel)
    : thread_([channel = std::move(channel)](const std::stop_token& stopping) { Keep(*channel, stopping); }) {
}

}  // namespace quantd
