// What the tests of identities share: a quantd with TLS, an access file and tokens of two tenants.
#pragma once

#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <map>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "quantd/v1/admin_service.grpc.pb.h"
#include "tests/support/certificate_authority.h"
#include "tests/support/generic_call.h"
#include "tests/support/server_process.h"
#include "tests/support/signing_key.h"

namespace quantd {

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() : IdentityTest(ServerOptions{}) {}
  explicit IdentityTest(ServerOptions options)
      : folder_(MakeFolder()), server_(WithFiles(std::move(options), folder_)) {}
  ~IdentityTest() override { std::filesystem::remove_all(folder_); }

  void SetUp() override {
    WriteServerCertificate();
    WriteFile(folder_ + "/client-ca.pem", clients_.certificate(), 0644);
    WriteFile(folder_ + "/rsa.json", KeySet({RsaKey().Jwk()}), 0644);
    WriteFile(folder_ + "/ec.json", KeySet({ec_.Jwk()}), 0644);
    WriteFile(folder_ + "/access.json", kAccess, 0644);
    server_.Start();
    const auto programs = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
    admin_ = FirstLine((programs / "quantd").string() + " admin-token --data-dir " + server_.data_folder());
    ASSERT_EQ(admin_.rfind("qt_", 0), 0u) << admin_;
    channel_ = Channel();
  }

  void WriteServerCertificate() {
    const CertifiedKey server = authority_.IssueForServer();
    WriteFile(folder_ + "/ca.pem", authority_.certificate(), 0644);
    WriteFile(folder_ + "/key.pem", server.key);
    WriteFile(folder_ + "/cert.pem", server.certificate, 0644);
    certificate_ = server.certificate;
  }

  // A new connection, with a client certificate if one is given.
  std::shared_ptr<grpc::Channel> Channel(const CertifiedKey& client = {}) const {
    return ChannelThatTrusts(authority_.certificate(), client);
  }
  std::shared_ptr<grpc::Channel> ChannelThatTrusts(const std::string& authority,
                                                   const CertifiedKey& client = {}) const {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = authority;
    ssl.pem_cert_chain = client.certificate;
    ssl.pem_private_key = client.key;
    // Channels of equal arguments would share a connection.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_.address(), grpc::SslCredentials(ssl), arguments);
  }

  static CallMetadata Bearer(const std::string& token) {
    return token.empty() ? CallMetadata() : CallMetadata{{"authorization", "Bearer " + token}};
  }
  grpc::Status Call(const std::string& method, const google::protobuf::Message& request,
                    google::protobuf::Message* response, const std::string& token) const {
    const GenericAnswer answer = CallByName(channel_, method, request.SerializeAsString(), Bearer(token));
    if (response != nullptr && !answer.messages.empty()) response->ParseFromString(answer.messages.front());
    return answer.status;
  }
  // Of a call that everybody who may read can make.
  grpc::Status List(const std::shared_ptr<grpc::Channel>& channel, const std::string& token = "") const {
    return CallByName(channel, "/quantd.v1.ModelService/ListModels", "", Bearer(token)).status;
  }

  v1::CreateTokenResponse CreateToken(const std::string& tenant, const std::string& role,
                                      int64_t seconds = 0) const {
    v1::CreateTokenRequest request;
    request.set_tenant(tenant);
    request.set_role(role);
    if (seconds > 0) request.mutable_lifetime()->set_seconds(seconds);
    v1::CreateTokenResponse response;
    const grpc::Status status = Call("/quantd.v1.AdminService/CreateToken", request, &response, admin_);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  std::string Token(const std::string& tenant, const std::string& role) const {
    return CreateToken(tenant, role).text();
  }
  std::string RevokedToken(const std::string& tenant, const std::string& role) const {
    const v1::CreateTokenResponse created = CreateToken(tenant, role);
    v1::RevokeTokenRequest request;
    request.set_name(created.token().name());
    const grpc::Status status = Call("/quantd.v1.AdminService/RevokeToken", request, nullptr, admin_);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return created.text();
  }

  static Json Claims(const std::string& issuer, const std::string& subject, absl::Duration lifetime) {
    return {{"iss", issuer},
            {"aud", "quantd"},
            {"sub", subject},
            {"exp", absl::ToUnixSeconds(absl::Now() + lifetime)}};
  }
  // Made once: it takes long.
  static const SigningKey& RsaKey() {
    static const SigningKey key = SigningKey::Rsa("rsa");
    return key;
  }

  static std::string FirstLine(const std::string& command) {
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string line;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF && c != '\n';) line.push_back(static_cast<char>(c));
    EXPECT_EQ(::pclose(pipe), 0) << command;
    return line;
  }

  static constexpr char kAccess[] = R"({
    "tenants": {"team-a": {}, "team-b": {}},
    "certificates": [{"subject": "ci.team-a", "tenant": "team-a", "role": "submitter"},
                     {"subject": "spiffe://cluster/worker", "role": "worker"}],
    "jwt": [{"issuer": "https://cluster", "audience": "quantd", "jwks_file": "rsa.json",
             "subjects": [{"subject": "system:serviceaccount:team-a:*", "tenant": "team-a", "role": "viewer"}]},
            {"issuer": "https://builds", "audience": "quantd", "jwks_file": "ec.json",
             "subjects": [{"subject": "repo:team-b/models", "tenant": "team-b", "role": "submitter"}]}]})";

  const std::string folder_;
  const CertificateAuthority authority_{"servers"};
  const CertificateAuthority clients_{"clients"};
  const CertificateAuthority strangers_{"strangers"};
  const SigningKey ec_ = SigningKey::Ec("ec");
  ServerProcess server_;
  std::string certificate_;  // the server's
  std::string admin_;        // a token
  std::shared_ptr<grpc::Channel> channel_;

 private:
  static std::string MakeFolder() {
    std::string folder = testing::TempDir() + "/identity_XXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    return folder;
  }
  static ServerOptions WithFiles(ServerOptions options, const std::string& folder) {
    const std::vector<std::string> files = {"--tls-cert",      folder + "/cert.pem",
                                            "--tls-key",       folder + "/key.pem",
                                            "--tls-client-ca", folder + "/client-ca.pem",
                                            "--access",        folder + "/access.json",
                                            "--health-listen", "127.0.0.1:0"};
    options.arguments.insert(options.arguments.end(), files.begin(), files.end());
    return options;
  }
};

}  // namespace quantd
