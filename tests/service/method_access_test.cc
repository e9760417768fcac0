// Every method against every way to have no right to it. The table below is written by hand, apart from the
// server's own (server/auth/policy.cc): a method that is added must be added to both.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_replace.h"
#include "base/sha256.h"
#include "google/bytestream/bytestream.pb.h"
#include "quantd/v1/capability_service.pb.h"
#include "quantd/v1/job_service.pb.h"
#include "quantd/v1/model_service.pb.h"
#include "quantd/v1/worker_service.pb.h"
#include "tests/service/identity_test_base.h"
#include "tests/support/toy_engine.h"

namespace quantd {
namespace {

constexpr char kViewers[] = "viewer submitter admin";
constexpr char kSubmitters[] = "submitter admin";
constexpr char kAdmins[] = "admin";
constexpr char kWorkers[] = "worker";

struct Method {
  const char* name;
  const char* roles;    // that may call it
  const char* request;  // text format; $MODEL, $JOB, $BLOB and $UPLOAD are what a tenant has
  bool of_tenant;       // the request names what belongs to a tenant
};

constexpr Method kMethods[] = {
    {"/quantd.v1.ModelService/CreateModel", kSubmitters, "", false},
    {"/quantd.v1.ModelService/GetModel", kViewers, "name: '$MODEL'", true},
    {"/quantd.v1.ModelService/ListModels", kViewers, "", false},
    {"/quantd.v1.ModelService/DeleteModel", kSubmitters, "name: '$MODEL'", true},
    {"/quantd.v1.JobService/CreateJob", kSubmitters, "model: '$MODEL' targets { format: 'toy' scheme: 's4' }",
     true},
    {"/quantd.v1.JobService/GetJob", kViewers, "name: '$JOB'", true},
    {"/quantd.v1.JobService/ListJobs", kViewers, "", false},
    {"/quantd.v1.JobService/CancelJob", kSubmitters, "name: '$JOB'", true},
    {"/quantd.v1.JobService/DeleteJob", kSubmitters, "name: '$JOB'", true},
    {"/quantd.v1.JobService/WatchJob", kViewers, "name: '$JOB'", true},
    {"/quantd.v1.CapabilityService/GetCapabilities", kViewers, "", false},
    {"/google.bytestream.ByteStream/Read", kViewers, "resource_name: '$BLOB'", true},
    {"/google.bytestream.ByteStream/Write", kSubmitters, "resource_name: '$UPLOAD' data: 'x'", true},
    {"/google.bytestream.ByteStream/QueryWriteStatus", kSubmitters, "resource_name: '$UPLOAD'", true},
    {"/quantd.v1.AdminService/CollectGarbage", kAdmins, "dry_run: true", false},
    {"/quantd.v1.AdminService/CreateToken", kAdmins, "role: 'nobody'", false},
    {"/quantd.v1.AdminService/ListTokens", kAdmins, "", false},
    {"/quantd.v1.AdminService/RevokeToken", kAdmins, "name: 'tokens/none'", false},
    {"/quantd.v1.WorkerService/Lease", kWorkers, "worker_id: 'w' kinds: QUANTIZE engine { version: 'toy' }",
     false},
    {"/quantd.v1.WorkerService/Heartbeat", kWorkers, "task_id: 'none'", false},
    {"/quantd.v1.WorkerService/Complete", kWorkers, "task_id: 'none'", false},
    {"/quantd.v1.WorkerService/Fail", kWorkers, "task_id: 'none' code: 3", false},
};

// What a tenant has, by the words of the table.
using Belongings = std::vector<std::pair<std::string, std::string>>;

class MethodAccessTest : public IdentityTest {
 protected:
  static const google::protobuf::MethodDescriptor* DescriptorOf(const std::string& method) {
    const size_t slash = method.rfind('/');
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(method.substr(1, slash - 1));
    return service == nullptr ? nullptr : service->FindMethodByName(method.substr(slash + 1));
  }

  static std::string Request(const Method& method, const Belongings& belongings) {
    const auto* type = DescriptorOf(method.name)->input_type();
    const std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(absl::StrReplaceAll(method.request, belongings),
                                                              message.get()))
        << method.request;
    return message->SerializeAsString();
  }

  GenericAnswer CallMethod(const Method& method, const std::string& token,
                           const Belongings& belongings) const {
    return CallByName(channel_, method.name, Request(method, belongings), Bearer(token));
  }

  v1::CreateModelResponse CreateModel(const std::string& token, const std::string& content) const {
    v1::CreateModelRequest request;
    v1::ModelFile* file = request.add_files();
    file->set_path("model.safetensors");
    file->set_sha256(Sha256Hex(content));
    file->set_size(static_cast<int64_t>(content.size()));
    v1::CreateModelResponse response;
    const grpc::Status status = Call("/quantd.v1.ModelService/CreateModel", request, &response, token);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  void Send(const std::string& token, const std::string& resource, const std::string& content) const {
    google::bytestream::WriteRequest request;
    request.set_resource_name(resource);
    request.set_data(content);
    request.set_finish_write(true);
    const grpc::Status status = Call("/google.bytestream.ByteStream/Write", request, nullptr, token);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  // As a worker that finds nothing wrong with the model that waits.
  void Inspect(const std::string& worker) const {
    v1::LeaseRequest lease;
    lease.set_worker_id("w");
    lease.add_kinds(v1::INSPECT);
    lease.mutable_wait()->set_seconds(10);
    *lease.mutable_engine() = ToyEngine();
    v1::LeaseResponse leased;
    EXPECT_TRUE(Call("/quantd.v1.WorkerService/Lease", lease, &leased, worker).ok());
    v1::CompleteRequest complete;
    complete.set_task_id(leased.assignment().task_id());
    complete.set_fencing_token(leased.assignment().fencing_token());
    complete.mutable_summary()->set_architecture("Toy");
    EXPECT_TRUE(Call("/quantd.v1.WorkerService/Complete", complete, nullptr, worker).ok());
  }

  // A model, a job that has ended, a blob and an upload that has begun.
  Belongings MakeBelongings(const std::string& submitter, const std::string& worker) const {
    const std::string content = "the same for both tenants";
    const v1::CreateModelResponse created = CreateModel(submitter, content);
    EXPECT_EQ(created.missing_size(), 1) << "another tenant's blob must not be known";
    if (created.missing_size() != 1) return {};
    Send(submitter, created.missing(0).resource_name(), content);
    Inspect(worker);
    const v1::CreateJobRequest job = ToyJobRequest(created.model().name());
    v1::CreateJobResponse queued;
    EXPECT_TRUE(Call("/quantd.v1.JobService/CreateJob", job, &queued, submitter).ok());
    v1::CancelJobRequest cancel;
    cancel.set_name(queued.job().name());
    EXPECT_TRUE(Call("/quantd.v1.JobService/CancelJob", cancel, nullptr, submitter).ok());
    const v1::CreateModelResponse begun = CreateModel(submitter, "this one stays unfinished");
    return {{"$MODEL", created.model().name()},
            {"$JOB", queued.job().name()},
            {"$BLOB", "blobs/" + Sha256Hex(content) + "/" + std::to_string(content.size())},
            {"$UPLOAD", begun.missing(0).resource_name()}};
  }

  // Names of the right form that nobody ever had.
  static Belongings Nothing() {
    const std::string blob = "blobs/" + std::string(64, '0') + "/7";
    return {{"$MODEL", "models/0000000000000000"},
            {"$JOB", "jobs/0000000000000000"},
            {"$BLOB", blob},
            {"$UPLOAD", "uploads/00000000-0000-4000-8000-000000000000/" + blob}};
  }
};

TEST_F(MethodAccessTest, TheTableHasEveryMethod) {
  std::vector<std::string> files;
  google::protobuf::DescriptorPool::internal_generated_database()->FindAllFileNames(&files);
  std::set<std::string> methods, listed;
  for (const std::string& name : files) {
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j)
        methods.insert("/" + file->service(i)->full_name() + "/" + file->service(i)->method(j)->name());
    }
  }
  for (const Method& method : kMethods) listed.insert(method.name);
  EXPECT_EQ(methods, listed);
}

TEST_F(MethodAccessTest, WithoutAValidCredentialNothingIsAnswered) {
  const std::string expired = ec_.Sign(Claims("https://builds", "repo:team-b/models", -absl::Hours(1)));
  const std::string stranger =
      SigningKey::Ec("ec").Sign(Claims("https://builds", "repo:team-b/models", absl::Hours(1)));
  const std::string revoked_admin = RevokedToken("team-a", "admin");
  const std::string revoked_worker = RevokedToken("default", "worker");
  const v1::CreateTokenResponse brief = CreateToken("team-a", "admin", 1);
  ASSERT_TRUE(
      Eventually([&] { return absl::ToUnixSeconds(absl::Now()) > brief.token().expire_time().seconds(); }));
  std::string other_secret = admin_;
  other_secret.back() = other_secret.back() == '0' ? '1' : '0';
  const std::pair<const char*, std::string> cases[] = {{"no token", ""},
                                                       {"a token of nobody's", "qt_none"},
                                                       {"another secret", other_secret},
                                                       {"revoked, of an admin", revoked_admin},
                                                       {"revoked, of a worker", revoked_worker},
                                                       {"expired, of an admin", brief.text()},
                                                       {"an expired JSON Web Token", expired},
                                                       {"a stranger's JSON Web Token", stranger}};
  for (const Method& method : kMethods) {
    for (const auto& [what, token] : cases) {
      const GenericAnswer answer = CallMethod(method, token, Nothing());
      EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAUTHENTICATED)
          << method.name << ", " << what << ": " << answer.status.error_message();
      EXPECT_TRUE(answer.messages.empty()) << method.name;
    }
  }
}

TEST_F(MethodAccessTest, AnotherAuthoritysCertificateDoesNotGetAConnection) {
  const std::string token = Token("team-a", "admin");
  const auto client =
      ChannelThatTrusts(authority_.certificate(), strangers_.Issue({.common_name = "ci.team-a"}));
  const auto server = ChannelThatTrusts(strangers_.certificate());
  for (const auto& channel : {client, server}) {
    for (const Method& method : kMethods) {
      const GenericAnswer answer =
          CallByName(channel, method.name, Request(method, Nothing()), Bearer(token));
      EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE)
          << method.name << ": " << answer.status.error_message();
    }
  }
}

TEST_F(MethodAccessTest, EachRoleMayCallWhatIsItsOwn) {
  for (const std::string role : {"viewer", "submitter", "admin", "worker"}) {
    const std::string token = Token("team-a", role);
    for (const Method& method : kMethods) {
      const bool may = (" " + std::string(method.roles) + " ").find(" " + role + " ") != std::string::npos;
      const grpc::Status status = CallMethod(method, token, Nothing()).status;
      if (may) {
        EXPECT_NE(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << role << " " << method.name;
        EXPECT_NE(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << role << " " << method.name;
      } else {
        EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << role << " " << method.name;
      }
    }
  }
}

// Both ways round, and in the same words as for what never was.
TEST_F(MethodAccessTest, AnotherTenantsThingsAreNotThere) {
  const std::string worker = Token("default", "worker");
  const std::map<std::string, Belongings> tenants = {
      {"team-a", MakeBelongings(Token("team-a", "submitter"), worker)},
      {"team-b", MakeBelongings(Token("team-b", "submitter"), worker)}};
  for (const std::string other : {"team-a", "team-b", "default"}) {
    const std::string token = Token(other, "admin");
    for (const auto& [owner, belongings] : tenants) {
      if (owner == other) continue;
      for (const Method& method : kMethods) {
        if (!method.of_tenant) continue;
        // Both tenants have the blob, each its own.
        if (std::string(method.name).find("Read") != std::string::npos && other != "default") continue;
        const grpc::Status status = CallMethod(method, token, belongings).status;
        EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND)
            << other << " " << method.name << " of " << owner << ": " << status.error_message();
        const grpc::Status nothing = CallMethod(method, token, Nothing()).status;
        EXPECT_EQ(status.error_message().substr(0, 18), nothing.error_message().substr(0, 18)) << method.name;
        EXPECT_EQ(nothing.error_code(), grpc::StatusCode::NOT_FOUND) << method.name;
      }
    }
  }
  // Nothing was harmed, and lists have the own things alone.
  for (const auto& [owner, belongings] : tenants) {
    const std::string token = Token(owner, "viewer");
    v1::ListModelsResponse models;
    EXPECT_TRUE(Call("/quantd.v1.ModelService/ListModels", v1::ListModelsRequest(), &models, token).ok());
    EXPECT_EQ(models.models_size(), 2);
    v1::ListJobsResponse jobs;
    EXPECT_TRUE(Call("/quantd.v1.JobService/ListJobs", v1::ListJobsRequest(), &jobs, token).ok());
    ASSERT_EQ(jobs.jobs_size(), 1);
    EXPECT_EQ(jobs.jobs(0).name(), belongings[1].second);
  }
}

}  // namespace
}  // namespace quantd
