// An HTTP server whose answers a test makes up.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace quantd {

struct HttpCall {
  std::string method;
  std::string path;
  std::string query;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct HttpAnswer {
  int status = 200;
  std::string body{};
  std::map<std::string, std::string> headers{};
  // The connection is closed after half of the body.
  bool breaks_off = false;
};

// Listens on a free port of this machine; one at a time. `answer` may be called on several threads at once,
// and may wait.
class HttpServer {
 public:
  explicit HttpServer(std::function<HttpAnswer(const HttpCall&)> answer);
  ~HttpServer();

  // "http://127.0.0.1:PORT"
  const std::string& endpoint() const { return endpoint_; }

 private:
  std::string endpoint_;
};

}  // namespace quantd
