#include "server/metrics/http_endpoint.h"

#include <CivetServer.h>

#include "absl/strings/str_cat.h"

namespace quantd {
namespace {

class TextHandler : public CivetHandler {
 public:
  // Status line ("200 OK") and body.
  using Make = std::function<std::pair<std::string, std::string>()>;
  explicit TextHandler(Make make) : make_(std::move(make)) {}

  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    const auto [status, body] = make_();
    mg_printf(connection,
              "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: "
              "%zu\r\n\r\n",
              status.c_str(), body.size());
    mg_write(connection, body.data(), body.size());
    return true;
  }

 private:
  Make make_;
};

}  // namespace

struct HttpEndpoint::Handlers {
  TextHandler metrics;
  TextHandler health;
  TextHandler ready;
};

HttpEndpoint::HttpEndpoint() = default;
HttpEndpoint::~HttpEndpoint() = default;

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(const std::string& address,
                                                                  std::function<std::string()> render,
                                                                  std::function<bool()> is_ready) {
  std::unique_ptr<HttpEndpoint> endpoint(new HttpEndpoint());
  const auto ready = [is_ready = std::move(is_ready)] {
    return is_ready() ? std::pair<std::string, std::string>("200 OK", "ready\n")
                      : std::pair<std::string, std::string>("503 Service Unavailable", "not ready\n");
  };
  endpoint->handlers_ = std::make_unique<Handlers>(Handlers{
      TextHandler(
          [render = std::move(render)] { return std::pair<std::string, std::string>("200 OK", render()); }),
      TextHandler([] { return std::pair<std::string, std::string>("200 OK", "ok\n"); }), TextHandler(ready)});
  // CivetServer reports failures by an exception only.
  try {
    endpoint->server_ = std::make_unique<CivetServer>(
        std::vector<std::string>{"listening_ports", address, "num_threads", "2"});
  } catch (const CivetException& error) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", error.what()));
  }
  endpoint->server_->addHandler("/metrics", endpoint->handlers_->metrics);
  endpoint->server_->addHandler("/healthz", endpoint->handlers_->health);
  endpoint->server_->addHandler("/readyz", endpoint->handlers_->ready);
  const std::vector<int> ports = endpoint->server_->getListeningPorts();
  endpoint->address_ = absl::StrCat(address.substr(0, address.rfind(':')), ":", ports.empty() ? 0 : ports[0]);
  return endpoint;
}

}  // namespace quantd
