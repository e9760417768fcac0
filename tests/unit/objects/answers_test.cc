#include "storage/objects/s3/answers.h"

#include <gtest/gtest.h>

namespace quantd::s3 {
namespace {

TEST(Answers, ListsObjectsAndFolders) {
  const auto page = ParseListPage(
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>"
      "<Contents><Key>a%2Fb+c%2B</Key><Size>5000000000</Size></Contents>"
      "<CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes></ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->objects[0].key, "a/b c+");
  EXPECT_EQ(page->objects[0].size, 5000000000u);
  EXPECT_EQ(page->folders, std::vector<std::string>{"d/"});
  EXPECT_EQ(page->next, "next");
}

TEST(Answers, AreRefusedWhenTheyAreNotWhatS3Sends) {
  for (const char* body :
       {"", "plain", "<html></html>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "<ListBucketResult>"})
    EXPECT_EQ(ParseListPage(body).status().code(), absl::StatusCode::kInternal) << body;
  EXPECT_FALSE(ParseUploadId("<InitiateMultipartUploadResult/>").ok());
  EXPECT_FALSE(ParseCopiedPart("<CopyPartResult/>").ok());
  EXPECT_FALSE(ParseAssumedRole("<AssumeRoleWithWebIdentityResponse/>").ok());
  EXPECT_FALSE(ParseMultipartPage("<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>1</UploadId>"
                                  "<Initiated>today</Initiated></Upload></ListMultipartUploadsResult>")
                   .ok());
  EXPECT_EQ(ParseError("<html>proxy</html>").code, "");
}

TEST(Answers, WritesThePartsOfAnUpload) {
  EXPECT_EQ(
      CompleteBody({"\"e1\"", "e2"}),
      "<?xml version=\"1.0\"?><CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<Part><PartNumber>1</PartNumber><ETag>\"e1\"</ETag></Part>"
      "<Part><PartNumber>2</PartNumber><ETag>e2</ETag></Part></CompleteMultipartUpload>");
}

}  // namespace
}  // namespace quantd::s3
