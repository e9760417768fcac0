#include "storage/catalogue/postgres_listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/catalogue/postgres_connection.h"

namespace quantd {
namespace {

constexpr int kFirstPause = 100;  // milliseconds
constexpr int kLongestPause = 2000;
constexpr int kForever = -1;

}  // namespace

PostgresListener::PostgresListener(std::string url, std::string channel, PublicationListener listener)
    : url_(std::move(url)),
      channel_(std::move(channel)),
      listener_(std::move(listener)),
      stopped_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

PostgresListener::~PostgresListener() {
  thread_.request_stop();
  static_cast<void>(::eventfd_write(stopped_, 1));
  thread_.join();
  ::close(stopped_);
}

void PostgresListener::Run(const std::stop_token& stop) {
  int pause = kFirstPause;
  while (!stop.stop_requested()) {
    // A connection that broke is made anew at once; one that can't be made, later and later.
    const bool had_connected = absl::IsAborted(ListenOnce(stop));
    pause = had_connected ? kFirstPause : std::min(2 * pause, kLongestPause);
    Wait(-1, pause);
  }
}

absl::Status PostgresListener::ListenOnce(const std::stop_token& stop) {
  ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> connection, PostgresConnection::Connect(url_));
  RETURN_IF_ERROR(connection->Execute(absl::StrCat("LISTEN ", channel_)).status());
  listener_.on_missed();
  while (!stop.stop_requested()) {
    const absl::StatusOr<std::vector<std::string>> messages = connection->Notifications();
    if (!messages.ok()) return absl::AbortedError(messages.status().message());
    for (const std::string& message : *messages) listener_.on_message(message);
    if (messages->empty()) Wait(connection->descriptor(), kForever);
  }
  return absl::OkStatus();
}

void PostgresListener::Wait(int descriptor, int milliseconds) const {
  std::array<pollfd, 2> wanted = {{{stopped_, POLLIN, 0}, {descriptor, POLLIN, 0}}};
  ::poll(wanted.data(), wanted.size(), milliseconds);
}

}  // namespace quantd
