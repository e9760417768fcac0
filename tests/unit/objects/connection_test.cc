#include "storage/objects/s3/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "storage/objects/s3/client.h"
#include "tests/support/http_server.h"
#include "tests/unit/objects/fake_environment.h"

namespace quantd::s3 {
namespace {

using testing::HasSubstr;

Options QuickOptions() {
  Options options;
  options.timeouts.stall = absl::Seconds(1);
  options.most_tries = 3;
  options.first_delay = absl::Milliseconds(1);
  options.environment = FakeEnvironment(
      {{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SECRET_ACCESS_KEY", "S"}, {"AWS_SESSION_TOKEN", "T"}});
  return options;
}

Location At(const std::string& endpoint) { return {"bucket", "", endpoint, "us-east-1", true}; }

std::string ErrorBody(const std::string& code) {
  return "<Error><Code>" + code + "</Code><Message>why</Message></Error>";
}

// What becomes of a request that always gets this answer.
absl::Status StatusFor(HttpAnswer answer) {
  HttpServer server([&](const HttpCall&) { return answer; });
  return Connection(At(server.endpoint()), QuickOptions()).Send({.what = "read x", .key = "x"}).status();
}

TEST(Connection, TriesAgainWhatMayPass) {
  for (const HttpAnswer& failure :
       {HttpAnswer{503}, HttpAnswer{429}, HttpAnswer{500}, HttpAnswer{400, ErrorBody("RequestTimeout")},
        HttpAnswer{200, "half", {}, true}}) {
    std::atomic<int> calls = 0;
    HttpServer server([&](const HttpCall&) { return ++calls < 3 ? failure : HttpAnswer{200, "whole"}; });
    Connection connection(At(server.endpoint()), QuickOptions());
    const auto response = connection.Send({.what = "read x", .key = "x"});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "whole");
    EXPECT_EQ(calls, 3);
  }
}

TEST(Connection, GivesUpAfterTheLastTry) {
  std::atomic<int> calls = 0;
  HttpServer server([&](const HttpCall&) -> HttpAnswer {
    ++calls;
    return {503, ErrorBody("SlowDown")};
  });
  Connection connection(At(server.endpoint()), QuickOptions());
  const absl::Status status = connection.Send({.what = "read x", .key = "x"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()), "can not read x: SlowDown: why (status 503)");
  EXPECT_EQ(calls, 3);
}

TEST(Connection, DoesNotRepeatWhatCanNotPass) {
  std::atomic<int> calls = 0;
  HttpServer server([&](const HttpCall&) -> HttpAnswer {
    ++calls;
    return {403, ErrorBody("AccessDenied")};
  });
  Connection connection(At(server.endpoint()), QuickOptions());
  EXPECT_EQ(connection.Send({.what = "read x", .key = "x"}).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(calls, 1);
}

TEST(Connection, AServerThatSaysNothingIsAnError) {
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  HttpServer server([&](const HttpCall&) -> HttpAnswer {
    ended.wait();
    return {};
  });
  Options options = QuickOptions();
  options.most_tries = 1;
  Connection connection(At(server.endpoint()), options);
  const absl::Status status = connection.Send({.what = "read x", .key = "x"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("can not read x: " + server.endpoint()));
  end.set_value();
}

TEST(Connection, EndsWhenItIsCancelled) {
  std::atomic<bool> cancelled = false;
  HttpServer server([&](const HttpCall&) -> HttpAnswer {
    cancelled = true;
    return {503};
  });
  Options options = QuickOptions();
  options.most_tries = 1000;
  options.first_delay = options.longest_delay = absl::Hours(1);
  Connection connection(At(server.endpoint()), options);
  EXPECT_FALSE(connection.Send({.what = "read x", .key = "x", .cancelled = &cancelled}).ok());
}

TEST(Connection, SaysWhatAnswersMean) {
  EXPECT_EQ(StatusFor({404, ErrorBody("NoSuchKey")}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(StatusFor({412, ErrorBody("PreconditionFailed")}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(StatusFor({403, ErrorBody("QuotaExceeded")}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(StatusFor({400, "<html>a proxy</html>"}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(StatusFor({501, ErrorBody("NotImplemented")}).code(), absl::StatusCode::kInternal);
  const absl::Status elsewhere = StatusFor({301, "", {{"x-amz-bucket-region", "eu-west-1"}}});
  EXPECT_EQ(elsewhere.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(elsewhere.message()), HasSubstr("in the region eu-west-1"));
  EXPECT_EQ(StatusFor({400, ErrorBody("ExpiredToken")}).code(), absl::StatusCode::kUnauthenticated);
}

TEST(Connection, SendsTheSessionTokenSigned) {
  std::map<std::string, std::string> headers;
  HttpServer server([&](const HttpCall& call) -> HttpAnswer {
    headers = call.headers;
    return {};
  });
  Connection connection(At(server.endpoint()), QuickOptions());
  ASSERT_TRUE(connection.Send({.what = "read x", .key = "x"}).ok());
  EXPECT_EQ(headers["x-amz-security-token"], "T");
  EXPECT_THAT(headers["authorization"],
              HasSubstr("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
}

TEST(Connection, LimitsAnAnswersSize) {
  const absl::Status status = StatusFor({200, std::string(9 << 20, 'x')});
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("too large"));
}

// CompleteMultipartUpload sends its status before it knows how it ends.
TEST(Client, ALateFailureIsAFailure) {
  HttpServer server([&](const HttpCall&) -> HttpAnswer { return {200, ErrorBody("InvalidPart")}; });
  Connection connection(At(server.endpoint()), QuickOptions());
  EXPECT_EQ(Client(connection).CompleteMultipart("x", "id", {"e"}, 1, "mark").code(),
            absl::StatusCode::kInternal);
}

// The first try went through and its answer was lost: the second finds what the first did.
TEST(Client, KnowsItsOwnWriteAgain) {
  std::string mark;
  std::atomic<int> puts = 0;
  HttpServer server([&](const HttpCall& call) -> HttpAnswer {
    if (call.method == "HEAD")
      return {200, "", {{"Content-Length", "4"}, {"ETag", "\"e\""}, {"x-amz-meta-quantd-mark", "mine"}}};
    return {++puts == 1 ? 500 : 412};
  });
  Connection connection(At(server.endpoint()), QuickOptions());
  const std::string body = "text";
  const auto bytes = std::as_bytes(std::span(body));
  EXPECT_EQ(*Client(connection).Put("x", bytes, "mine", {.absent = true, .etag = ""}), "\"e\"");
  EXPECT_EQ(Client(connection).Put("x", bytes, "other", {.absent = true, .etag = ""}).status().code(),
            absl::StatusCode::kAborted);
}

// A server or proxy that does not know ranges must not pass for one that does.
TEST(Client, RefusesAnotherRangeThanItAskedFor) {
  HttpServer server([&](const HttpCall&) -> HttpAnswer {
    return {206, "1234", {{"Content-Range", "bytes 0-3/8"}}};
  });
  Connection connection(At(server.endpoint()), QuickOptions());
  Client client(connection);
  const ObjectState state = {.size = 8, .etag = "\"e\"", .version_id = "", .mark = ""};
  EXPECT_EQ(*client.Get("x", state, 0, 4, nullptr), "1234");
  EXPECT_EQ(client.Get("x", state, 4, 4, nullptr).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(client.Get("x", state, 0, 3, nullptr).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace quantd::s3
