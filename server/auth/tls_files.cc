#include "server/auth/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "absl/strings/str_cat.h"
#include "base/random_access_file.h"
#include "base/secret_file.h"
#include "base/status.h"
#include "server/auth/openssl.h"

namespace quantd {
namespace {

constexpr uint64_t kMostBytes = 1 << 20;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = OpenLocalFile(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::string> text = ReadAll(**file, kMostBytes);
  return text.ok() ? text : Annotate(text.status(), path);
}

UniqueBio Memory(const std::string& text) {
  return UniqueBio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Instead of OpenSSL's own, which would ask on the terminal.
int NoPassword(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

// The first certificate of the file.
absl::StatusOr<UniqueCertificate> ReadCertificate(const std::string& text, const std::string& path) {
  UniqueCertificate certificate(PEM_read_bio_X509(Memory(text).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate == nullptr)
    return absl::InvalidArgumentError(absl::StrCat(path, ": has no certificate in PEM form"));
  return certificate;
}

absl::StatusOr<UniqueKey> ReadKey(const std::string& text, const std::string& path) {
  bool asked = false;
  UniqueKey key(PEM_read_bio_PrivateKey(Memory(text).get(), nullptr, NoPassword, &asked));
  ERR_clear_error();
  if (asked)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the key is encrypted; store it without a password"));
  if (key == nullptr)
    return absl::InvalidArgumentError(absl::StrCat(path, ": has no private key in PEM form"));
  return key;
}

}  // namespace

absl::StatusOr<TlsTexts> ReadTlsFiles(const TlsPaths& paths, absl::Time now) {
  TlsTexts texts;
  ASSIGN_OR_RETURN(texts.certificate, ReadFile(paths.certificate));
  ASSIGN_OR_RETURN(texts.key, ReadSecretFile(paths.key, kMostBytes));
  texts.files = {paths.certificate, paths.key};
  ASSIGN_OR_RETURN(const UniqueCertificate certificate,
                   ReadCertificate(texts.certificate, paths.certificate));
  ASSIGN_OR_RETURN(const UniqueKey key, ReadKey(texts.key, paths.key));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        absl::StrCat(paths.key, ": is not the key of the certificate ", paths.certificate));
  }
  time_t seconds = absl::ToTimeT(now);
  if (X509_cmp_time(X509_get0_notAfter(certificate.get()), &seconds) < 0)
    return absl::InvalidArgumentError(absl::StrCat(paths.certificate, ": the certificate has expired"));
  if (!paths.client_ca.empty()) {
    ASSIGN_OR_RETURN(texts.client_ca, ReadFile(paths.client_ca));
    RETURN_IF_ERROR(ReadCertificate(texts.client_ca, paths.client_ca).status());
    texts.files.push_back(paths.client_ca);
  }
  return texts;
}

}  // namespace quantd
