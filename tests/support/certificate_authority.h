// A certificate authority for tests, and what it signs. Everything is PEM text.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/auth/openssl.h"

namespace quantd {

struct CertifiedKey {
  std::string certificate;
  std::string key;
};

struct CertificateFacts {
  std::string common_name;
  std::vector<std::string> alternative_names{};  // as OpenSSL writes them: "DNS:a", "URI:b", "IP:127.0.0.1"
  absl::Duration lifetime = absl::Hours(1);      // negative: it has expired
};

class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::string& name);

  const std::string& certificate() const { return pem_; }
  CertifiedKey Issue(const CertificateFacts& facts) const;
  // For "localhost" and 127.0.0.1.
  CertifiedKey IssueForServer() const;

 private:
  UniqueKey key_;
  UniqueCertificate certificate_;
  std::string pem_;
};

// Writes `text` to the file with these permissions, in one step: readers see the old file or the new one.
void WriteFile(const std::string& path, const std::string& text, int mode = 0600);

}  // namespace quantd
