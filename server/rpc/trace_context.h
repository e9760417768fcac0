// The ids that a call brings along, for logs.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <string>
#include <string_view>

namespace quantd {

struct RequestIds {
  std::string request_id;  // of x-request-id; a new one where there is none that can stand in a log
  std::string trace_id;    // of W3C traceparent, 32 hexadecimal digits; empty without a valid one
  std::string span_id;     // the caller's span, 16 hexadecimal digits
};

RequestIds RequestIdsOf(const grpc::CallbackServerContext& call);

// 1 to 128 letters, digits and "-._~:/+=@".
bool IsRequestId(std::string_view text);

// https://www.w3.org/TR/trace-context/: "VERSION-TRACE-SPAN-FLAGS". False, with `ids` as they were, for
// another form.
bool ParseTraceParent(std::string_view text, RequestIds& ids);

}  // namespace quantd
