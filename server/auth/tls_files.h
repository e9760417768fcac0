// The server's certificate and key, and the authorities of clients, as PEM files.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace quantd {

struct TlsPaths {
  std::string certificate;  // the server's, the authorities between it and a root after it
  std::string key;
  std::string client_ca;  // empty: clients have no certificates
};

struct TlsTexts {
  std::string certificate;
  std::string key;
  std::string client_ca;
  std::vector<std::string> files;
};

// Errors name the file and say what is wrong: it can't be read, is no PEM, others can read the key, the key
// is encrypted or another certificate's, the certificate has expired at `now`.
absl::StatusOr<TlsTexts> ReadTlsFiles(const TlsPaths& paths, absl::Time now);

}  // namespace quantd
