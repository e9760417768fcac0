#include "tests/support/http_server.h"

#include <CivetServer.h>

#include <mutex>
#include <shared_mutex>

#include "absl/strings/ascii.h"

namespace quantd {
namespace {

// Stopping a CivetServer takes 2 s: one serves all tests of a program, and its answers change.
class SharedServer : public CivetHandler {
 public:
  static SharedServer& Get() {
    static auto* const kServer = new SharedServer;
    return *kServer;
  }

  // Waits for the calls that run.
  void SetAnswer(std::function<HttpAnswer(const HttpCall&)> answer) {
    std::unique_lock lock(mutex_);
    answer_ = std::move(answer);
  }
  int port() { return server_.getListeningPorts().at(0); }

  bool handleGet(CivetServer*, mg_connection* connection) override { return Answer(connection); }
  bool handleHead(CivetServer*, mg_connection* connection) override { return Answer(connection); }
  bool handlePut(CivetServer*, mg_connection* connection) override { return Answer(connection); }
  bool handlePost(CivetServer*, mg_connection* connection) override { return Answer(connection); }
  bool handleDelete(CivetServer*, mg_connection* connection) override { return Answer(connection); }

 private:
  SharedServer() : server_(std::vector<std::string>{"listening_ports", "127.0.0.1:0", "num_threads", "8"}) {
    server_.addHandler("", this);
  }

  bool Answer(mg_connection* connection) {
    std::shared_lock lock(mutex_);
    const mg_request_info* info = mg_get_request_info(connection);
    HttpCall call = {
        info->request_method, info->local_uri, info->query_string ? info->query_string : "", {}, ""};
    for (int i = 0; i < info->num_headers; ++i)
      call.headers[absl::AsciiStrToLower(info->http_headers[i].name)] = info->http_headers[i].value;
    char buffer[4096];
    for (int size = 0; (size = mg_read(connection, buffer, sizeof(buffer))) > 0;)
      call.body.append(buffer, static_cast<size_t>(size));

    const HttpAnswer answer = answer_(call);
    std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " Made up\r\n";
    if (!answer.headers.contains("Content-Length"))
      head += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
    head += "Connection: close\r\n\r\n";
    mg_write(connection, head.data(), head.size());
    if (call.method != "HEAD")
      mg_write(connection, answer.body.data(),
               answer.breaks_off ? answer.body.size() / 2 : answer.body.size());
    return true;
  }

  std::shared_mutex mutex_;  // shared by calls that run
  std::function<HttpAnswer(const HttpCall&)> answer_;
  CivetServer server_;
};

// Late calls, of tests that have ended.
HttpAnswer Nothing(const HttpCall& /*call*/) { return {404}; }

}  // namespace

HttpServer::HttpServer(std::function<HttpAnswer(const HttpCall&)> answer)
    : endpoint_("http://127.0.0.1:" + std::to_string(SharedServer::Get().port())) {
  SharedServer::Get().SetAnswer(std::move(answer));
}

HttpServer::~HttpServer() { SharedServer::Get().SetAnswer(Nothing); }

}  // namespace quantd
