// Certificates and keys as files: every way to be wrong has its message.
#include "server/auth/tls_files.h"

#include <gmock/gmock.h>
#include <openssl/pem.h>

#include <filesystem>

#include "tests/support/certificate_authority.h"

namespace quantd {
namespace {

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() : folder_(testing::TempDir() + "/tls-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
    const CertifiedKey server = authority_.IssueForServer();
    WriteFile(paths_.certificate, server.certificate, 0644);
    WriteFile(paths_.key, server.key);
    WriteFile(paths_.client_ca, authority_.certificate(), 0644);
  }
  ~TlsFilesTest() override { std::filesystem::remove_all(folder_); }

  std::string Error() const {
    const absl::StatusOr<TlsTexts> texts = ReadTlsFiles(paths_, absl::Now());
    return texts.ok() ? "" : std::string(texts.status().message());
  }

  const std::string folder_;
  const CertificateAuthority authority_{"authority"};
  const TlsPaths paths_{folder_ + "/cert.pem", folder_ + "/key.pem", folder_ + "/ca.pem"};
};

TEST_F(TlsFilesTest, GoodOnesAreRead) {
  const absl::StatusOr<TlsTexts> texts = ReadTlsFiles(paths_, absl::Now());
  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_EQ(texts->client_ca, authority_.certificate());
  EXPECT_EQ(texts->files.size(), 3u);
}

TEST_F(TlsFilesTest, AKeyOfAnotherCertificate) {
  WriteFile(paths_.key, authority_.IssueForServer().key);
  EXPECT_THAT(Error(), testing::HasSubstr("key.pem: is not the key of the certificate"));
}

TEST_F(TlsFilesTest, AKeyThatOthersCanRead) {
  for (int mode : {0644, 0604, 0602, 0660}) {
    std::filesystem::permissions(paths_.key, static_cast<std::filesystem::perms>(mode));
    EXPECT_THAT(Error(), testing::HasSubstr("key.pem: others can read it")) << std::oct << mode;
  }
  std::filesystem::permissions(paths_.key, static_cast<std::filesystem::perms>(0400));
  EXPECT_EQ(Error(), "");
}

TEST_F(TlsFilesTest, AFileThatIsNotThereOrEmpty) {
  for (const std::string& path : {paths_.certificate, paths_.key, paths_.client_ca}) {
    const std::string kept = path + ".kept";
    std::filesystem::rename(path, kept);
    EXPECT_THAT(Error(), testing::AllOf(testing::HasSubstr(path), testing::HasSubstr("No such file")));
    WriteFile(path, "");
    EXPECT_THAT(Error(), testing::AllOf(testing::HasSubstr(path), testing::HasSubstr("PEM form")));
    std::filesystem::rename(kept, path);
  }
  EXPECT_EQ(Error(), "");
}

TEST_F(TlsFilesTest, AnEncryptedKeyAsksNobody) {
  const UniqueKey key(EVP_EC_gen("P-256"));
  const UniqueBio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(), "password", 8, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  WriteFile(paths_.key, {data, static_cast<size_t>(size)});
  EXPECT_THAT(Error(), testing::HasSubstr("the key is encrypted"));
}

TEST_F(TlsFilesTest, AnExpiredCertificate) {
  const CertifiedKey expired = authority_.Issue({.common_name = "quantd", .lifetime = -absl::Hours(1)});
  WriteFile(paths_.certificate, expired.certificate);
  WriteFile(paths_.key, expired.key);
  EXPECT_THAT(Error(), testing::HasSubstr("cert.pem: the certificate has expired"));
}

}  // namespace
}  // namespace quantd
