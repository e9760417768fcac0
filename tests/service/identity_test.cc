// Certificates, JSON Web Tokens, reloading, request ids, the audit log.
#include <google/protobuf/empty.pb.h>

#include <sstream>

#include "base/json.h"
#include "quantd/v1/model_service.pb.h"
#include "tests/service/identity_test_base.h"

namespace quantd {
namespace {

class LoggedIdentityTest : public IdentityTest {
 protected:
  LoggedIdentityTest() : IdentityTest({.arguments = {"--log-format", "json"}, .keep_log = true}) {}

  // Lines of the audit log, of one method.
  std::vector<Json> Audit(const std::string& method) const {
    std::istringstream lines(server_.Log());
    std::vector<Json> events;
    for (std::string line; std::getline(lines, line);) {
      Json event = Json::parse(line, nullptr, false);
      EXPECT_TRUE(event.is_object()) << line;
      if (event.value("event", "") == "audit" && event.value("method", "") == method)
        events.push_back(std::move(event));
    }
    return events;
  }
};

TEST_F(IdentityTest, ACertificateIsItsTenantAndRole) {
  const auto ci = Channel(clients_.Issue({.common_name = "ci.team-a"}));
  EXPECT_TRUE(List(ci).ok()) << List(ci).error_message();
  EXPECT_EQ(CallByName(ci, "/quantd.v1.WorkerService/Fail", "", {}).status.error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  const auto worker =
      Channel(clients_.Issue({.common_name = "any", .alternative_names = {"URI:spiffe://cluster/worker"}}));
  EXPECT_EQ(List(worker).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(CallByName(worker, "/quantd.v1.WorkerService/Fail", "", {}).status.error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  const auto unknown = Channel(clients_.Issue({.common_name = "nobody"}));
  EXPECT_EQ(List(unknown).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(List(unknown).error_message(), testing::HasSubstr("nobody"));
  const auto expired = Channel(clients_.Issue({.common_name = "ci.team-a", .lifetime = -absl::Hours(1)}));
  EXPECT_EQ(List(expired).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(IdentityTest, ATokenOverAConnectionWithACertificateCounts) {
  const auto nobody = Channel(clients_.Issue({.common_name = "nobody"}));
  EXPECT_TRUE(List(nobody, Token("team-b", "viewer")).ok());
}

TEST_F(IdentityTest, TwoIssuersOfJsonWebTokens) {
  const std::string cluster =
      RsaKey().Sign(Claims("https://cluster", "system:serviceaccount:team-a:runner", absl::Hours(1)));
  const std::string builds = ec_.Sign(Claims("https://builds", "repo:team-b/models", absl::Hours(1)));
  EXPECT_TRUE(List(channel_, cluster).ok()) << List(channel_, cluster).error_message();
  EXPECT_TRUE(List(channel_, builds).ok()) << List(channel_, builds).error_message();
  v1::CreateModelRequest request;
  request.add_files()->set_path("model.safetensors");
  request.mutable_files(0)->set_sha256(std::string(64, 'a'));
  request.mutable_files(0)->set_size(5);
  EXPECT_EQ(Call("/quantd.v1.ModelService/CreateModel", request, nullptr, cluster).error_code(),
            grpc::StatusCode::PERMISSION_DENIED)
      << "a viewer";
  EXPECT_TRUE(Call("/quantd.v1.ModelService/CreateModel", request, nullptr, builds).ok());
  const std::string stranger =
      RsaKey().Sign(Claims("https://cluster", "system:serviceaccount:x:y", absl::Hours(1)));
  EXPECT_EQ(List(channel_, stranger).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(IdentityTest, NewCertificatesAreServedWithoutARestart) {
  const std::string token = Token("team-a", "viewer");
  // Another authority: whoever still trusts the first one alone must fail with the new certificate.
  const CertificateAuthority other("new servers");
  const CertifiedKey renewed = other.IssueForServer();
  // For a moment key and certificate do not match: the old pair stays.
  WriteFile(folder_ + "/key.pem", renewed.key);
  WriteFile(folder_ + "/cert.pem", renewed.certificate, 0644);
  EXPECT_TRUE(Eventually([&] { return List(ChannelThatTrusts(other.certificate()), token).ok(); }));
  EXPECT_EQ(List(Channel(), token).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(List(channel_, token).ok()) << "a connection lasts";
  // A pair that does not fit changes nothing.
  WriteFile(folder_ + "/key.pem", authority_.IssueForServer().key);
  server_.Signal(SIGHUP);
  EXPECT_TRUE(List(ChannelThatTrusts(other.certificate()), token).ok());
}

TEST_F(IdentityTest, NewClientAuthoritiesAreTakenWithoutARestart) {
  const CertifiedKey client = strangers_.Issue({.common_name = "ci.team-a"});
  EXPECT_EQ(List(Channel(client)).error_code(), grpc::StatusCode::UNAVAILABLE);
  WriteFile(folder_ + "/client-ca.pem", strangers_.certificate() + clients_.certificate(), 0644);
  EXPECT_TRUE(Eventually([&] { return List(Channel(client)).ok(); }));
  EXPECT_TRUE(List(Channel(clients_.Issue({.common_name = "ci.team-a"}))).ok());
}

TEST_F(LoggedIdentityTest, AnAccessFileThatChangesCountsAndAWrongOneIsLogged) {
  const std::string jwt = ec_.Sign(Claims("https://builds", "repo:team-b/models", absl::Hours(1)));
  EXPECT_TRUE(List(channel_, jwt).ok());
  WriteFile(folder_ + "/access.json", R"({"tenants": {)");
  server_.Signal(SIGHUP);
  EXPECT_TRUE(
      Eventually([&] { return server_.Log().find("access.json: is not valid JSON") != std::string::npos; }));
  EXPECT_TRUE(List(channel_, jwt).ok()) << "what was read before stays in force";
  WriteFile(folder_ + "/access.json", R"({"tenants": {"team-a": {}}})");
  EXPECT_TRUE(
      Eventually([&] { return List(channel_, jwt).error_code() == grpc::StatusCode::UNAUTHENTICATED; }));
}

TEST_F(IdentityTest, TheHealthPortServesHealthAlone) {
  const auto probe = grpc::CreateChannel(server_.health_address(), grpc::InsecureChannelCredentials());
  const GenericAnswer health = CallByName(probe, "/grpc.health.v1.Health/Check", "", {});
  ASSERT_TRUE(health.status.ok()) << health.status.error_message();
  EXPECT_EQ(health.messages.front(), "\x08\x01") << "SERVING";
  EXPECT_EQ(List(probe, admin_).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(CallByName(probe, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "", {})
                .status.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(IdentityTest, HealthIsForAllAndReflectionForNobody) {
  EXPECT_TRUE(CallByName(channel_, "/grpc.health.v1.Health/Check", "", {}).status.ok());
  EXPECT_EQ(CallByName(channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "",
                       Bearer(admin_))
                .status.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(LoggedIdentityTest, EachChangeHasItsLineAndNoSecretIsInTheLog) {
  const v1::CreateTokenResponse submitter = CreateToken("team-a", "submitter");
  v1::CreateModelRequest request;
  request.add_files()->set_path("model.safetensors");
  request.mutable_files(0)->set_sha256(std::string(64, 'a'));
  request.mutable_files(0)->set_size(5);
  CallMetadata metadata = Bearer(submitter.text());
  metadata.emplace_back("x-request-id", "build-17");
  metadata.emplace_back("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const GenericAnswer created =
      CallByName(channel_, "/quantd.v1.ModelService/CreateModel", request.SerializeAsString(), metadata);
  ASSERT_TRUE(created.status.ok()) << created.status.error_message();
  EXPECT_EQ(created.trailing_metadata.find("x-request-id")->second, "build-17");
  v1::CreateModelResponse response;
  response.ParseFromString(created.messages.front());
  const std::vector<Json> events = Audit("/quantd.v1.ModelService/CreateModel");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["identity"], "token:" + submitter.token().name().substr(7));
  EXPECT_EQ(events[0]["tenant"], "team-a");
  EXPECT_EQ(events[0]["resource"], response.model().name());
  EXPECT_EQ(events[0]["outcome"], "OK");
  EXPECT_EQ(events[0]["request_id"], "build-17");
  EXPECT_EQ(events[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(events[0]["span_id"], "00f067aa0ba902b7");
  EXPECT_EQ(Audit("/quantd.v1.AdminService/CreateToken").size(), 1u);
  // A refusal has a line, reading has none.
  EXPECT_FALSE(List(channel_, "qt_wrong").ok());
  EXPECT_TRUE(List(channel_, submitter.text()).ok());
  ASSERT_EQ(Audit("/quantd.v1.ModelService/ListModels").size(), 1u);
  EXPECT_EQ(Audit("/quantd.v1.ModelService/ListModels")[0]["outcome"], "UNAUTHENTICATED");
  for (const std::string& token : {admin_, submitter.text()})
    EXPECT_EQ(server_.Log().find(token.substr(token.rfind('_') + 1)), std::string::npos);
}

TEST_F(IdentityTest, ErrorsNameTheirRequest) {
  const std::string token = Token("team-a", "viewer");
  CallMetadata metadata = Bearer(token);
  metadata.emplace_back("x-request-id", "spaces and \"quotes\" are not for logs");
  v1::GetModelRequest request;
  request.set_name("models/none");
  const GenericAnswer answer =
      CallByName(channel_, "/quantd.v1.ModelService/GetModel", request.SerializeAsString(), metadata);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::NOT_FOUND);
  const std::string id = answer.trailing_metadata.find("x-request-id")->second;
  EXPECT_THAT(id, testing::MatchesRegex("[0-9a-z]{16}"));
  google::rpc::Status rich;
  ASSERT_TRUE(rich.ParseFromString(answer.status.error_details()));
  google::rpc::RequestInfo info;
  const bool found = std::any_of(rich.details().begin(), rich.details().end(),
                                 [&](const auto& any) { return any.UnpackTo(&info); });
  EXPECT_TRUE(found);
  EXPECT_EQ(info.request_id(), id);
}

}  // namespace
}  // namespace quantd
