#include "tests/support/certificate_authority.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>

#include "absl/strings/str_join.h"

namespace quantd {
namespace {

std::string Text(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<size_t>(size)};
}

std::string Pem(X509* certificate) {
  const UniqueBio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate);
  return Text(out.get());
}

std::string Pem(EVP_PKEY* key) {
  const UniqueBio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return Text(out.get());
}

void AddExtension(X509* certificate, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Not signed yet.
UniqueCertificate Draft(EVP_PKEY* key, const std::string& name, absl::Duration lifetime) {
  UniqueCertificate draft(X509_new());
  X509_set_version(draft.get(), X509_VERSION_3);
  int64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set_int64(X509_get_serialNumber(draft.get()), serial >> 1 & INT64_MAX);
  X509_gmtime_adj(X509_getm_notBefore(draft.get()), -2 * 3600);
  X509_gmtime_adj(X509_getm_notAfter(draft.get()), absl::ToInt64Seconds(lifetime));
  X509_set_pubkey(draft.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(draft.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return draft;
}

}  // namespace

CertificateAuthority::CertificateAuthority(const std::string& name)
    : key_(EVP_EC_gen("P-256")), certificate_(Draft(key_.get(), name, absl::Hours(24))) {
  X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
  AddExtension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  pem_ = Pem(certificate_.get());
}

CertifiedKey CertificateAuthority::Issue(const CertificateFacts& facts) const {
  const UniqueKey key(EVP_EC_gen("P-256"));
  const UniqueCertificate certificate = Draft(key.get(), facts.common_name, facts.lifetime);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
  if (!facts.alternative_names.empty())
    AddExtension(certificate.get(), NID_subject_alt_name, absl::StrJoin(facts.alternative_names, ","));
  X509_sign(certificate.get(), key_.get(), EVP_sha256());
  return {Pem(certificate.get()), Pem(key.get())};
}

CertifiedKey CertificateAuthority::IssueForServer() const {
  return Issue({.common_name = "quantd", .alternative_names = {"DNS:localhost", "IP:127.0.0.1"}});
}

void WriteFile(const std::string& path, const std::string& text, int mode) {
  const std::string draft = path + ".new";
  std::ofstream(draft, std::ios::binary) << text;
  ASSERT_EQ(::chmod(draft.c_str(), static_cast<mode_t>(mode)), 0) << draft;
  ASSERT_EQ(std::rename(draft.c_str(), path.c_str()), 0) << path;
}

}  // namespace quantd
