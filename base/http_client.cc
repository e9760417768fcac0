#include "base/http_client.h"

#include <curl/curl.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr size_t kMostIdle = 32;

struct FreeHeaders {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeHeaders>;

// What a transfer's callbacks see.
struct Transfer {
  const HttpRequest& request;
  HttpResponse response;
  bool too_large = false;
};

size_t TakeBody(char* bytes, size_t /*one*/, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string& body = transfer.response.body;
  if (count > transfer.request.most_answer - body.size()) {
    transfer.too_large = true;
    return 0;
  }
  body.append(bytes, count);
  return count;
}

size_t TakeHeader(char* bytes, size_t /*one*/, size_t count, void* user) {
  auto& headers = static_cast<Transfer*>(user)->response.headers;
  const absl::string_view line(bytes, count);
  // A new status line: what came before was an interim answer.
  if (absl::StartsWith(line, "HTTP/")) headers.clear();
  const size_t colon = line.find(':');
  if (colon != absl::string_view::npos) {
    headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return count;
}

int CheckCancelled(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const std::atomic<bool>* cancelled = static_cast<Transfer*>(user)->request.cancelled;
  return cancelled != nullptr && *cancelled ? 1 : 0;
}

HeaderList MakeHeaders(const HttpRequest& request) {
  curl_slist* list = nullptr;
  // Without a value: what libcurl would add by itself is left out.
  for (const char* name : {"Expect:", "Accept:", "Content-Type:"}) list = ::curl_slist_append(list, name);
  for (const auto& [name, value] : request.headers)
    list = ::curl_slist_append(list, absl::StrCat(name, ": ", value).c_str());
  return HeaderList(list);
}

void SetMethod(CURL* handle, const HttpRequest& request) {
  if (request.method == "HEAD") {
    ::curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    ::curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    ::curl_easy_setopt(handle, CURLOPT_POSTFIELDS,
                       request.body.empty() ? "" : reinterpret_cast<const char*>(request.body.data()));
    ::curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method != "GET") {
    ::curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void SetLimits(CURL* handle, const HttpTimeouts& timeouts) {
  ::curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  ::curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  ::curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 256L << 10);
  ::curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(absl::ToInt64Milliseconds(timeouts.connect)));
  ::curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  ::curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(absl::ToInt64Seconds(timeouts.stall)));
}

void SetCallbacks(CURL* handle, Transfer& transfer) {
  ::curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &TakeBody);
  ::curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  ::curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &TakeHeader);
  ::curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  ::curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &CheckCancelled);
  ::curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  ::curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}

absl::Status TransferError(CURLcode code, const char* details, const Transfer& transfer) {
  const std::string host =
      transfer.request.url.substr(0, transfer.request.url.find('/', transfer.request.url.find("//") + 2));
  const std::string message =
      absl::StrCat(host, ": ", *details == '\0' ? ::curl_easy_strerror(code) : details);
  if (transfer.too_large) return absl::InternalError(absl::StrCat(host, ": the answer is too large"));
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return absl::CancelledError(absl::StrCat(host, ": the request was given up"));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return absl::FailedPreconditionError(message);
    default:
      return absl::UnavailableError(message);
  }
}

}  // namespace

std::string HttpResponse::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

HttpClient::HttpClient(HttpTimeouts timeouts, std::string ca_bundle)
    : timeouts_(timeouts), ca_bundle_(std::move(ca_bundle)) {
  [[maybe_unused]] static const CURLcode kInitialised = ::curl_global_init(CURL_GLOBAL_DEFAULT);
}

HttpClient::~HttpClient() {
  for (void* handle : idle_) ::curl_easy_cleanup(handle);
}

void* HttpClient::Take() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return ::curl_easy_init();
  void* handle = idle_.back();
  idle_.pop_back();
  return handle;
}

void HttpClient::GiveBack(void* handle) {
  ::curl_easy_reset(handle);  // connections stay
  std::lock_guard lock(mutex_);
  if (idle_.size() < kMostIdle) {
    idle_.push_back(handle);
  } else {
    ::curl_easy_cleanup(handle);
  }
}

absl::StatusOr<HttpResponse> HttpClient::Send(const HttpRequest& request) {
  CURL* handle = Take();
  if (handle == nullptr) return absl::ResourceExhaustedError("libcurl has no memory");
  Transfer transfer{request, {}};
  const HeaderList headers = MakeHeaders(request);
  char details[CURL_ERROR_SIZE] = "";
  SetLimits(handle, timeouts_);
  SetMethod(handle, request);
  SetCallbacks(handle, transfer);
  ::curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  ::curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  ::curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, details);
  if (!ca_bundle_.empty()) ::curl_easy_setopt(handle, CURLOPT_CAINFO, ca_bundle_.c_str());
  const CURLcode code = ::curl_easy_perform(handle);
  long status = 0;
  ::curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  GiveBack(handle);
  if (code != CURLE_OK) return TransferError(code, details, transfer);
  transfer.response.status = static_cast<int>(status);
  return std::move(transfer.response);
}

}  // namespace quantd
