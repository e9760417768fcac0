#include "storage/objects/s3/signature.h"

#include <gtest/gtest.h>

#include "base/sha256.h"
#include "storage/objects/s3/percent.h"

namespace quantd::s3 {
namespace {

// AWS's signature version 4 test suite.
class SuiteTest : public testing::Test {
 protected:
  static std::string Sign(UnsignedRequest request) {
    request.headers.emplace_back("Host", "example.amazonaws.com");
    request.headers.emplace_back("X-Amz-Date", "20150830T123600Z");
    request.payload_sha256 = Sha256Hex("");
    return Authorization(
        request, {"us-east-1", "service"},
        {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", absl::InfiniteFuture()},
        absl::FromCivil(absl::CivilSecond(2015, 8, 30, 12, 36, 0), absl::UTCTimeZone()));
  }
  static std::string Expected(const std::string& signed_headers, const std::string& signature) {
    return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,SignedHeaders=" +
           signed_headers + ",Signature=" + signature;
  }
};

TEST_F(SuiteTest, GetVanilla) {
  EXPECT_EQ(Sign({"GET", "/", {}, {}, ""}),
            Expected("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
}

TEST_F(SuiteTest, PostVanilla) {
  EXPECT_EQ(Sign({"POST", "/", {}, {}, ""}),
            Expected("host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"));
}

TEST_F(SuiteTest, GetVanillaQueryOrderKeyCase) {
  EXPECT_EQ(Sign({"GET", "/", {{"Param2", "value2"}, {"Param1", "value1"}}, {}, ""}),
            Expected("host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"));
}

TEST_F(SuiteTest, GetHeaderValueTrim) {
  EXPECT_EQ(Sign({"GET", "/", {}, {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}, ""}),
            Expected("host;my-header1;my-header2;x-amz-date",
                     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"));
}

// The examples of the S3 API reference.
class S3ExampleTest : public testing::Test {
 protected:
  static constexpr char kHost[] = "examplebucket.s3.amazonaws.com";

  static std::string Signature(UnsignedRequest request, const std::string& body) {
    request.headers.emplace_back("Host", kHost);
    request.headers.emplace_back("x-amz-date", "20130524T000000Z");
    request.payload_sha256 = Sha256Hex(body);
    request.headers.emplace_back("x-amz-content-sha256", request.payload_sha256);
    const std::string header = Authorization(request, {"us-east-1", "s3"}, Keys(), Time());
    return header.substr(header.rfind('=') + 1);
  }
  static Credentials Keys() {
    return {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", absl::InfiniteFuture()};
  }
  static absl::Time Time() {
    return absl::FromCivil(absl::CivilSecond(2013, 5, 24, 0, 0, 0), absl::UTCTimeZone());
  }
};

TEST_F(S3ExampleTest, GetObjectWithRange) {
  EXPECT_EQ(Signature({"GET", "/test.txt", {}, {{"Range", "bytes=0-9"}}, ""}, ""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(S3ExampleTest, PutObject) {
  EXPECT_EQ(
      Signature({"PUT",
                 "/" + PercentEncode("test$file.text", true),
                 {},
                 {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                 ""},
                "Welcome to Amazon S3."),
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(S3ExampleTest, GetBucketLifecycle) {
  EXPECT_EQ(Signature({"GET", "/", {{"lifecycle", ""}}, {}, ""}, ""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_F(S3ExampleTest, ListObjects) {
  EXPECT_EQ(Signature({"GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, ""}, ""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_F(S3ExampleTest, PresignedUrl) {
  const std::string query = PresignedQuery({"GET", "/test.txt", {}, {{"host", kHost}}, kUnsignedPayload},
                                           {"us-east-1", "s3"}, Keys(), Time(), absl::Hours(24));
  EXPECT_EQ(query,
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&"
            "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&"
            "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404&"
            "X-Amz-SignedHeaders=host");
}

TEST(Percent, EncodesAllButUnreservedCharacters) {
  EXPECT_EQ(PercentEncode("a/b c+d~e%", true), "a/b%20c%2Bd~e%25");
  EXPECT_EQ(PercentEncode("a/ü", false), "a%2F%C3%BC");
  EXPECT_EQ(PercentDecode("a%2Fb%c3%BC%2"), "a/bü%2");
}

}  // namespace
}  // namespace quantd::s3
