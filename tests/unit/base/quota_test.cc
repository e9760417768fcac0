#include "base/quota.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace quantd {
namespace {

TEST(QuotaExceededTest, CarriesWhoseAndWhichAndWhenToTryAgain) {
  const absl::Status status =
      QuotaExceeded("team-a", "queued_jobs", "100 jobs are queued", absl::Seconds(30));
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(status.message(), "quota of tenant team-a: 100 jobs are queued");
  EXPECT_EQ(QuotaOf(status)->tenant, "team-a");
  EXPECT_EQ(QuotaOf(status)->resource, "queued_jobs");
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(30));
  EXPECT_EQ(RetryDelayOf(QuotaExceeded("team-a", "stored_bytes", "full")), std::nullopt);
  EXPECT_EQ(QuotaOf(absl::ResourceExhaustedError("the disk is full")), std::nullopt);
}

}  // namespace
}  // namespace quantd
