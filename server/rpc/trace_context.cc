#include "server/rpc/trace_context.h"

#include <grpcpp/server_context.h>

#include <algorithm>

#include "base/random_id.h"

namespace quantd {
namespace {

// Empty where the header is not there, or there twice.
std::string Header(const grpc::CallbackServerContext& call, const char* name) {
  const auto [first, last] = call.client_metadata().equal_range(name);
  if (first == last || std::next(first) != last) return "";
  return {first->second.data(), first->second.size()};
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsZero(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

}  // namespace

bool IsRequestId(std::string_view text) {
  constexpr std::string_view kOthers = "-._~:/+=@";
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != kOthers.npos;
  });
}

bool ParseTraceParent(std::string_view text, RequestIds& ids) {
  constexpr size_t kLength = 55;  // of version 00; later versions may append "-…"
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2), trace = text.substr(3, 32), span = text.substr(36, 16);
  const bool whole = text.size() == kLength || (version != "00" && text[kLength] == '-');
  if (!whole || version == "ff" || !IsHex(version) || !IsHex(trace) || !IsHex(span) ||
      !IsHex(text.substr(53, 2)) || IsZero(trace) || IsZero(span)) {
    return false;
  }
  ids.trace_id = trace;
  ids.span_id = span;
  return true;
}

RequestIds RequestIdsOf(const grpc::CallbackServerContext& call) {
  RequestIds ids;
  ids.request_id = Header(call, "x-request-id");
  if (!IsRequestId(ids.request_id)) ids.request_id = RandomId();
  ParseTraceParent(Header(call, "traceparent"), ids);
  return ids;
}

}  // namespace quantd
