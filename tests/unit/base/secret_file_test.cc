// Files that hold a secret.
#include "base/secret_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace quantd {
namespace {

class SecretFileTest : public testing::Test {
 protected:
  SecretFileTest() : path_(testing::TempDir() + "/secret-" + std::to_string(::getpid())) {
    std::ofstream(path_) << "text";
    ::chmod(path_.c_str(), 0600);
  }
  ~SecretFileTest() override { std::filesystem::remove(path_); }

  std::string Error(uint64_t limit = 100) const {
    const absl::StatusOr<std::string> text = ReadSecretFile(path_, limit);
    return text.ok() ? "" : std::string(text.status().message());
  }

  const std::string path_;
};

TEST_F(SecretFileTest, ItsOwnersAlone) {
  EXPECT_EQ(*ReadSecretFile(path_, 4), "text");
  ::chmod(path_.c_str(), 0400);
  EXPECT_EQ(Error(), "");
}

TEST_F(SecretFileTest, OthersMayNotReadItOrWriteToIt) {
  for (mode_t mode : {0604, 0602, 0601, 0620, 0660, 0777}) {
    ::chmod(path_.c_str(), mode);
    EXPECT_THAT(Error(),
                testing::AllOf(testing::HasSubstr("others can read it"), testing::HasSubstr("chmod 600")))
        << std::oct << mode;
    EXPECT_TRUE(absl::IsFailedPrecondition(ReadSecretFile(path_, 100).status()));
  }
}

// As Kubernetes mounts secrets: owned by root, for the group of the pod.
TEST_F(SecretFileTest, TheGroupMayReadWhatIsRoots) {
  ::chmod(path_.c_str(), 0440);
  EXPECT_EQ(Error() == "", ::getuid() == 0);
  if (::getuid() == 0 && ::chown(path_.c_str(), 12345, 12345) == 0) {
    EXPECT_NE(Error(), "");
  }
}

TEST_F(SecretFileTest, OnlyARegularFileOfSomeSize) {
  EXPECT_THAT(Error(3), testing::HasSubstr("larger than 3 bytes"));
  EXPECT_TRUE(absl::IsNotFound(ReadSecretFile(path_ + "-none", 100).status()));
  EXPECT_THAT(std::string(ReadSecretFile(testing::TempDir(), 100).status().message()),
              testing::HasSubstr("no regular file"));
  const std::string pipe = path_ + "-pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(std::string(ReadSecretFile(pipe, 100).status().message()),
              testing::HasSubstr("no regular file"));
  std::filesystem::remove(pipe);
}

}  // namespace
}  // namespace quantd
