#include "server/auth/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <string>

namespace quantd {
namespace {

// gRPC's C interface asks for certificates with every handshake; its C++ interface only knows files that it
// watches itself, and would take a key that is not the certificate's. Hence a class of our own around the C
// interface.
class TlsCredentials final : public grpc::ServerCredentials {
 public:
  explicit TlsCredentials(const Reloaded<TlsTexts>& files) : files_(files) {
    const auto request = files.Get()->client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                        : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(request, &Fetch, this));
  }
  ~TlsCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC calls it under a lock of the port.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self,
                                                         grpc_ssl_server_certificate_config** config) {
    auto* credentials = static_cast<TlsCredentials*>(self);
    std::shared_ptr<const TlsTexts> texts = credentials->files_.Get();
    if (texts == credentials->given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    grpc_ssl_pem_key_cert_pair pair{texts->key.c_str(), texts->certificate.c_str()};
    const char* client_ca = texts->client_ca.empty() ? nullptr : texts->client_ca.c_str();
    *config = grpc_ssl_server_certificate_config_create(client_ca, &pair, 1);
    credentials->given_ = std::move(texts);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const Reloaded<TlsTexts>& files_;
  std::shared_ptr<const TlsTexts> given_;
  grpc_server_credentials* credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(const Reloaded<TlsTexts>& files) {
  return std::make_shared<TlsCredentials>(files);
}

}  // namespace quantd
