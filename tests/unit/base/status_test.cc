#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace quantd {
namespace {

TEST(Status, CarriesTheFieldThatIsWrong) {
  absl::Status status = InvalidField("targets[0].scheme", "unknown");
  EXPECT_EQ(status.message(), "targets[0].scheme: unknown");
  EXPECT_EQ(FieldOf(status), "targets[0].scheme");
  EXPECT_EQ(SubjectOf(status), std::nullopt);
}

TEST(Status, CarriesSubjectResourceAndDelay) {
  EXPECT_EQ(SubjectOf(PreconditionFailed("models/7", "is not ready")), "models/7");
  absl::Status missing = ResourceNotFound("job", "jobs/7");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ResourceOf(missing)->type, "job");
  EXPECT_EQ(ResourceOf(missing)->name, "jobs/7");
  EXPECT_EQ(RetryDelayOf(RetryAfter(absl::StatusCode::kUnavailable, "no worker", absl::Seconds(2))),
            absl::Seconds(2));
}

TEST(Annotate, KeepsCodeAndPayload) {
  absl::Status status = Annotate(InvalidField("a", "b"), "config.json");
  EXPECT_EQ(status.message(), "config.json: a: b");
  EXPECT_EQ(FieldOf(status), "a");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

TEST(ErrnoStatus, TellsAFullDisk) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "write").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrnoStatus(ENOENT, "open").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrnoStatus(EIO, "read").code(), absl::StatusCode::kInternal);
}

TEST(Macros, ReturnEarly) {
  auto outer = [](absl::StatusOr<int> inner) -> absl::StatusOr<int> {
    ASSIGN_OR_RETURN(int value, inner);
    RETURN_IF_ERROR(value < 0 ? absl::OutOfRangeError("negative") : absl::OkStatus());
    return value + 1;
  };
  EXPECT_EQ(*outer(1), 2);
  EXPECT_EQ(outer(-1).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(outer(absl::InternalError("x")).status().message(), "x");
}

}  // namespace
}  // namespace quantd
