// gRPC's credentials of a server whose certificate is replaced while it runs.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/auth/reloaded.h"
#include "server/auth/tls_files.h"

namespace quantd {

// For one listening port. Every new connection gets what `files` holds at that time. With authorities of
// clients, a client may present a certificate, which then must be theirs; it need not. `files` outlives the
// server.
std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(const Reloaded<TlsTexts>& files);

}  // namespace quantd
