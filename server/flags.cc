#include "server/flags.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/duration.h"
#include "base/status.h"
#include "server/auth/local_address.h"

namespace quantd {
namespace {

std::string DefaultDataDir() {
  if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg != nullptr && *xdg != '\0')
    return absl::StrCat(xdg, "/quantd");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "." : home, "/.local/share/quantd");
}

void AddIdentityFlags(CLI::App& app, Flags& flags) {
  app.add_option("--tls-cert", flags.tls_cert, "PEM file of the server's certificate; without it no TLS")
      ->envname("QUANTD_TLS_CERT");
  app.add_option("--tls-key", flags.tls_key, "PEM file of its key, its owner's alone")
      ->envname("QUANTD_TLS_KEY");
  app.add_option("--tls-client-ca", flags.tls_client_ca,
                 "PEM file of the authorities whose client certificates are accepted; default: none are")
      ->envname("QUANTD_TLS_CLIENT_CA");
  app.add_option("--access", flags.access,
                 "Access file: tenants, and whom certificates and JSON Web Tokens stand for")
      ->envname("QUANTD_ACCESS");
  app.add_flag("--require-authentication", flags.require_authentication,
               "Refuse calls without credentials; --tls-cert and --access mean it, too")
      ->envname("QUANTD_REQUIRE_AUTHENTICATION");
  app.add_flag("--allow-plaintext", flags.allow_plaintext,
               "Serve without TLS also where other machines can reach it")
      ->envname("QUANTD_ALLOW_PLAINTEXT");
}

void AddSharingFlags(CLI::App& app, Flags& flags) {
  app.add_option("--tenant-limits", flags.tenant_limits,
                 "What each tenant that the access file does not name may have, as "
                 "stored_bytes=1e12,queued_jobs=100,running_jobs=4,upload_streams=8")
      ->envname("QUANTD_TENANT_LIMITS");
  app.add_option("--artifact-retention", flags.artifact_retention,
                 "How long ended jobs and their artifacts stay since their last use, as 90d; 0: for ever")
      ->envname("QUANTD_ARTIFACT_RETENTION")
      ->capture_default_str();
  app.add_option("--model-retention", flags.model_retention,
                 "How long models stay since their last use; 0: for ever")
      ->envname("QUANTD_MODEL_RETENTION")
      ->capture_default_str();
  app.add_option("--upload-retention", flags.upload_retention,
                 "How long models whose bytes are not all there stay since the last came; 0: for ever")
      ->envname("QUANTD_UPLOAD_RETENTION")
      ->capture_default_str();
}

}  // namespace

void AddFlags(CLI::App& app, Flags& flags) {
  flags.data_dir = DefaultDataDir();
  app.add_option("--data-dir", flags.data_dir, "Folder of catalogue and objects")
      ->envname("QUANTD_DATA_DIR")
      ->capture_default_str();
  app.add_option("--listen", flags.listen, "gRPC address, HOST:PORT or unix:PATH; port 0 picks a free one")
      ->envname("QUANTD_LISTEN")
      ->capture_default_str();
  app.add_option("--metrics-listen", flags.metrics_listen, "HTTP address of /metrics, /healthz and /readyz")
      ->envname("QUANTD_METRICS_LISTEN")
      ->capture_default_str();
  app.add_option("--health-listen", flags.health_listen,
                 "Address that serves grpc.health.v1 alone, in plaintext, for probes; default: none")
      ->envname("QUANTD_HEALTH_LISTEN");
  app.add_option("--workers", flags.workers, "Local worker processes")
      ->envname("QUANTD_WORKERS")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  app.add_option("--worker-threads", flags.worker_threads, "Threads of each worker; 0 means all cores")
      ->envname("QUANTD_WORKER_THREADS")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--worker-device", flags.worker_device, "Where workers encode: auto, cpu or cuda")
      ->envname("QUANTD_WORKER_DEVICE")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "text or json")
      ->envname("QUANTD_LOG_FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--catalogue", flags.catalogue, "sqlite:PATH or postgresql://…; default: in the data folder")
      ->envname("QUANTD_CATALOGUE");
  app.add_option("--objects", flags.objects, "file:DIR or s3://BUCKET/PREFIX; default: the data folder")
      ->envname("QUANTD_OBJECTS");
  AddSharingFlags(app, flags);
  AddIdentityFlags(app, flags);
  app.set_config("--config", "", "Configuration file with these flags as keys")->envname("QUANTD_CONFIG");
}

absl::StatusOr<Retention> RetentionOf(const Flags& flags) {
  Retention retention;
  ASSIGN_OR_RETURN(retention.artifacts, ParseDuration(flags.artifact_retention));
  ASSIGN_OR_RETURN(retention.models, ParseDuration(flags.model_retention));
  ASSIGN_OR_RETURN(retention.uploads, ParseDuration(flags.upload_retention));
  return retention;
}

absl::Status SettleStorage(Flags& flags) {
  std::error_code error;
  std::filesystem::create_directories(flags.data_dir, error);
  if (error)
    return absl::PermissionDeniedError(absl::StrCat("cannot make ", flags.data_dir, ": ", error.message()));
  if (flags.objects.empty())
    flags.objects = absl::StrCat("file:", std::filesystem::absolute(flags.data_dir).string());
  if (flags.catalogue.empty()) flags.catalogue = absl::StrCat("sqlite:", flags.data_dir, "/catalogue.db");
  return absl::OkStatus();
}

absl::Status CheckExposure(const Flags& flags) {
  if (flags.tls_cert.empty() != flags.tls_key.empty())
    return absl::InvalidArgumentError("a certificate and its key go together: give --tls-cert and --tls-key");
  if (!flags.tls_client_ca.empty() && !flags.uses_tls())
    return absl::InvalidArgumentError("--tls-client-ca is for TLS: give --tls-cert and --tls-key, too");
  if (!flags.uses_tls() && !flags.allow_plaintext && !IsLocalAddress(flags.listen)) {
    return absl::InvalidArgumentError(absl::StrCat("other machines could reach ", flags.listen,
                                                   " and read along: give --tls-cert and --tls-key, or "
                                                   "--allow-plaintext where the network is to be trusted"));
  }
  return absl::OkStatus();
}

}  // namespace quantd
