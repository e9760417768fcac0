#include "storage/objects/s3/location.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/objects/fake_environment.h"

namespace quantd::s3 {
namespace {

TEST(Location, IsAwsOfTheRegionByDefault) {
  const auto location = ParseLocation("s3://models/team/a/", FakeEnvironment({{"AWS_REGION", "eu-west-1"}}));
  ASSERT_TRUE(location.ok()) << location.status();
  EXPECT_EQ(location->prefix, "team/a");
  EXPECT_EQ(location->base_url(), "https://models.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(location->PathOf("team/a/x y"), "/team/a/x%20y");
  EXPECT_EQ(location->PathOf(""), "/");
}

TEST(Location, PutsTheBucketIntoThePathOfAnotherServer) {
  const auto location =
      ParseLocation("s3://models?endpoint=http%3A%2F%2F10.0.0.1:9000/", FakeEnvironment({}));
  ASSERT_TRUE(location.ok()) << location.status();
  EXPECT_EQ(location->region, "us-east-1");
  EXPECT_EQ(location->base_url(), "http://10.0.0.1:9000");
  EXPECT_EQ(location->PathOf("x"), "/models/x");
  EXPECT_EQ(location->PathOf(""), "/models");
}

TEST(Location, TheUrlWinsOverTheEnvironment) {
  const Environment environment =
      FakeEnvironment({{"AWS_ENDPOINT_URL", "https://a"}, {"AWS_DEFAULT_REGION", "r1"}});
  EXPECT_EQ(ParseLocation("s3://models", environment)->endpoint, "https://a");
  const auto location =
      ParseLocation("s3://models/p?endpoint=https://b&region=r2&path_style=false", environment);
  EXPECT_EQ(location->host(), "models.b");
  EXPECT_EQ(location->region, "r2");
}

TEST(Location, SaysWhatIsWrongWithAUrl) {
  const std::pair<const char*, const char*> cases[] = {
      {"s3://", "bucket"},
      {"s3://a?region=r", "bucket"},
      {"s3://b cket?region=r", "bucket"},
      {"s3://models/../x?region=r", "climbs"},
      {"s3://models", "AWS_REGION"},
      {"s3://models?regoin=r", "regoin"},
      {"s3://models?region=", "region is empty"},
      {"s3://models?region=r&path_style=yes", "path_style"},
      {"s3://models?endpoint=ftp://x", "https://"},
      {"s3://models?endpoint=https://user@x", "https://HOST"},
      {"s3://models?endpoint=https://", "endpoint"},
  };
  for (const auto& [url, message] : cases) {
    const absl::Status status = ParseLocation(url, FakeEnvironment({})).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(message)) << url;
  }
}

}  // namespace
}  // namespace quantd::s3
