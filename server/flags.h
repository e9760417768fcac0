// What quantd is told by flags, QUANTD_… variables and a configuration file.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "storage/catalogue/records.h"

namespace quantd {

struct Flags {
  std::string data_dir;
  std::string listen = "127.0.0.1:7600";
  std::string metrics_listen = "127.0.0.1:7601";
  std::string health_listen;
  int workers = 1;
  int worker_threads = 0;
  std::string worker_device = "auto";
  std::string log_format = "text";
  std::string catalogue;
  std::string objects;
  std::string tenant_limits;
  std::string artifact_retention = "0";
  std::string model_retention = "0";
  std::string upload_retention = "7d";
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  std::string access;
  bool require_authentication = false;
  bool allow_plaintext = false;

  bool uses_tls() const { return !tls_cert.empty(); }
  // Whoever sets up TLS or an access file wants to know who calls.
  bool must_authenticate() const { return require_authentication || !access.empty() || uses_tls(); }
};

// `flags` outlives `app`.
void AddFlags(CLI::App& app, Flags& flags);

absl::StatusOr<Retention> RetentionOf(const Flags& flags);

// Makes the data folder, and fills in where catalogue and objects are when nothing says so.
absl::Status SettleStorage(Flags& flags);

// INVALID_ARGUMENT for flags of TLS that do not go together, and where strangers could listen in: plaintext
// is for this machine's own addresses, unless a flag says that the network is to be trusted.
absl::Status CheckExposure(const Flags& flags);

}  // namespace quantd
