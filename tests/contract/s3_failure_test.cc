// What goes wrong between us and a real S3 server: each is a clear message, at the start or in the call.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/objects/s3/reader.h"
#include "storage/objects/s3_store.h"
#include "tests/contract/s3_server.h"

namespace quantd {
namespace {

using testing::HasSubstr;

// A clock that is wrong by a constant.
class WrongClock : public Clock {
 public:
  explicit WrongClock(absl::Duration by) : by_(by) {}
  absl::Time Now() override { return absl::Now() + by_; }

 private:
  absl::Duration by_;
};

// Opening fails with this code and a message that has this text.
void ExpectRefused(const s3::Location& location, const s3::Options& options, absl::StatusCode code,
                   const std::string& text) {
  const absl::Status status = OpenS3Store(location, options).status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

absl::Status Put(ObjectStore& store, const std::string& key, const std::string& content) {
  auto writer = *store.Create(key);
  if (absl::Status status = writer->Append(std::as_bytes(std::span(content))); !status.ok()) return status;
  return writer->Commit();
}

// Without a signature of its own.
HttpResponse Fetch(const std::string& url) {
  HttpClient http{HttpTimeouts()};
  HttpRequest request;
  request.url = url;
  absl::StatusOr<HttpResponse> response = http.Send(request);
  EXPECT_TRUE(response.ok()) << response.status();
  return *std::move(response);
}

TEST(S3Failures, ABucketThatDoesNotExist) {
  s3::Location location = S3Server::Place("missing");
  location.bucket = "nowhere";
  ExpectRefused(location, S3Server::Owner(), absl::StatusCode::kFailedPrecondition,
                "the bucket \"nowhere\" at " + S3Server::Get().endpoint() + " does not exist");
}

TEST(S3Failures, ABucketOfOthers) {
  ExpectRefused(S3Server::Place("others"),
                S3Server::WithKeys(RadosgwProcess::kStrangerAccessKey, RadosgwProcess::kStrangerSecretKey),
                absl::StatusCode::kPermissionDenied, "the keys may not do that in the bucket \"bucket\"");
}

TEST(S3Failures, AWrongSecretKey) {
  ExpectRefused(S3Server::Place("key"), S3Server::WithKeys(RadosgwProcess::kAccessKey, "wrong"),
                absl::StatusCode::kUnauthenticated, "the secret key does not belong to the access key");
}

TEST(S3Failures, AKeyThatNobodyHas) {
  ExpectRefused(S3Server::Place("key"), S3Server::WithKeys("nobody", "wrong"),
                absl::StatusCode::kUnauthenticated, "does not know the access key");
}

TEST(S3Failures, NoKeysAtAll) {
  ExpectRefused(S3Server::Place("key"), S3Server::WithKeys("", ""), absl::StatusCode::kFailedPrecondition,
                "there are no credentials for S3");
}

TEST(S3Failures, AClockThatIsWrong) {
  s3::Options options = S3Server::Owner();
  options.clock = std::make_shared<WrongClock>(absl::Hours(1));
  ExpectRefused(S3Server::Place("clock"), options, absl::StatusCode::kFailedPrecondition,
                "this machine's clock");
}

TEST(S3Failures, NobodyListens) {
  s3::Location location = S3Server::Place("nobody");
  location.endpoint = "http://127.0.0.1:1";
  ExpectRefused(location, S3Server::Owner(), absl::StatusCode::kUnavailable, "http://127.0.0.1:1");
}

TEST(S3Failures, APresignedUrlServesUntilItExpires) {
  auto store = *OpenS3Store(S3Server::Place("presigned"), S3Server::Owner());
  ASSERT_TRUE(Put(*store, "a b", "content").ok());
  const HttpResponse now = Fetch(*store->PresignedUrl("a b", absl::Minutes(1)));
  EXPECT_EQ(now.status, 200);
  EXPECT_EQ(now.body, "content");

  s3::Options options = S3Server::Owner();
  options.clock = std::make_shared<WrongClock>(-absl::Minutes(2));
  auto late = *OpenS3Store(S3Server::Place("presigned"), options);
  EXPECT_EQ(Fetch(*late->PresignedUrl("a b", absl::Minutes(1))).status, 403);
  EXPECT_EQ(store->PresignedUrl("a b", absl::Hours(24 * 8)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(S3Failures, AServerThatIsKilledDuringAReadAndComesBack) {
  const std::string content(3 * s3::kBlockBytes / 2, 'x');
  auto store = *OpenS3Store(S3Server::Place("killed"), S3Server::Owner());
  ASSERT_TRUE(Put(*store, "a", content).ok());
  auto file = *store->OpenForRead("a");
  std::string some(10, '\0');
  const auto read = [&] { return file->ReadAt(s3::kBlockBytes, std::as_writable_bytes(std::span(some))); };
  S3Server::Get().KillGateway();
  EXPECT_EQ(read().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Put(*store, "b", "x").code(), absl::StatusCode::kUnavailable);
  S3Server::Get().StartGateway();
  EXPECT_TRUE(read().ok());
  EXPECT_EQ(some, std::string(10, 'x'));
  EXPECT_TRUE(Put(*store, "b", "x").ok());
}

}  // namespace
}  // namespace quantd
