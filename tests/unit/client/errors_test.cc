#include "client/errors.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

TEST(ExitCodes, FollowTheContractWithScripts) {
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), kUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("x")), kNotFound);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("x")), kRefused);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("x")), kRefused);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("x")), kRefused);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("x")), kBadRequest);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("x")), kBadRequest);
}

TEST(ExitCodes, AJobIsBlamedOnItsModelOnlyWhenTheModelIsBad) {
  EXPECT_EQ(ExitCodeOfJob(static_cast<int>(absl::StatusCode::kInvalidArgument)), kBadRequest);
  EXPECT_EQ(ExitCodeOfJob(static_cast<int>(absl::StatusCode::kFailedPrecondition)), kBadRequest);
  EXPECT_EQ(ExitCodeOfJob(static_cast<int>(absl::StatusCode::kResourceExhausted)), kJobFailed);
  EXPECT_EQ(ExitCodeOfJob(static_cast<int>(absl::StatusCode::kDataLoss)), kJobFailed);
}

TEST(FromGrpc, KeepsCodeAndMessage) {
  const absl::Status status = FromGrpc(grpc::Status(grpc::StatusCode::NOT_FOUND, "models/7: no such model"));
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "models/7: no such model");
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(OneLine, HasNoControlCharacters) { EXPECT_EQ(OneLine("a\nb\x1b[2Jc"), "a b [2Jc"); }

}  // namespace
}  // namespace quantd
