// HTTP/1.1 by libcurl: one request, one answer, with limits on time and size. Connections are kept and used
// again.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace quantd {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::span<const std::byte> body;               // must stay valid during the call
  uint64_t most_answer = 8 << 20;                // bytes of the answer's body
  const std::atomic<bool>* cancelled = nullptr;  // optional; ends the call within a second
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  // "" when there is none.
  std::string Header(const std::string& name) const;
};

struct HttpTimeouts {
  absl::Duration connect = absl::Seconds(10);
  // Without a byte in either direction.
  absl::Duration stall = absl::Seconds(30);
};

// Safe for concurrent use: each call has a connection of its own. Certificates are checked against the
// system's, or against the file `ca_bundle` when it is not empty.
class HttpClient {
 public:
  explicit HttpClient(HttpTimeouts timeouts, std::string ca_bundle = "");
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status of the server is a success here. UNAVAILABLE when there is no whole answer (another try may
  // help); FAILED_PRECONDITION when the server's certificate is not trusted; INTERNAL for an answer that is
  // too large; CANCELLED.
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request);

 private:
  void* Take();
  void GiveBack(void* handle);

  HttpTimeouts timeouts_;
  std::string ca_bundle_;
  std::mutex mutex_;
  std::vector<void*> idle_;  // CURL*, each with its connections
};

}  // namespace quantd
