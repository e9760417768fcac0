// /metrics, /healthz and /readyz over HTTP.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

class CivetServer;

namespace quantd {

class HttpEndpoint {
 public:
  // `address` is HOST:PORT; port 0 picks a free one. `render` makes the text of /metrics. Both are called
  // from several threads.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Start(const std::string& address,
                                                             std::function<std::string()> render,
                                                             std::function<bool()> is_ready);
  ~HttpEndpoint();

  // With the port that is really used.
  const std::string& address() const { return address_; }

 private:
  struct Handlers;
  HttpEndpoint();

  std::unique_ptr<Handlers> handlers_;
  std::unique_ptr<CivetServer> server_;
  std::string address_;
};

}  // namespace quantd
