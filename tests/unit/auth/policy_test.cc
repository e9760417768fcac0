// No method without a policy, no policy without a method.
#include "server/auth/policy.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>

#include <set>

#include "google/bytestream/bytestream.pb.h"
#include "quantd/v1/admin_service.pb.h"
#include "quantd/v1/blob_service.pb.h"
#include "quantd/v1/capability_service.pb.h"
#include "quantd/v1/job_service.pb.h"
#include "quantd/v1/model_service.pb.h"
#include "quantd/v1/worker_service.pb.h"

namespace quantd {
namespace {

// Of every service in the proto files that are linked.
std::set<std::string> AllMethods() {
  std::vector<std::string> files;
  google::protobuf::DescriptorPool::internal_generated_database()->FindAllFileNames(&files);
  std::set<std::string> methods;
  for (const std::string& name : files) {
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    for (int i = 0; i < file->service_count(); ++i) {
      const auto* service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j)
        methods.insert("/" + service->full_name() + "/" + service->method(j)->name());
    }
  }
  return methods;
}

TEST(Policy, EveryMethodHasOneAndEveryOneHasAMethod) {
  // The linker keeps what is used.
  google::bytestream::ReadRequest::descriptor();
  v1::Token::descriptor();
  v1::BlobUrl::descriptor();
  v1::Capabilities::descriptor();
  v1::Job::descriptor();
  v1::Model::descriptor();
  v1::Assignment::descriptor();
  std::set<std::string> covered;
  for (const MethodPolicy& policy : MethodPolicies())
    EXPECT_TRUE(covered.emplace(policy.method).second) << policy.method << " is there twice";
  EXPECT_EQ(covered, AllMethods());
  EXPECT_GE(covered.size(), 21u);
}

TEST(Policy, RolesOfPeopleIncludeEachOther) {
  const Role people[] = {Role::kViewer, Role::kSubmitter, Role::kAdmin};
  for (int has = 0; has < 3; ++has) {
    for (int least = 0; least < 3; ++least) EXPECT_EQ(Allows(people[has], people[least]), has >= least);
    EXPECT_FALSE(Allows(people[has], Role::kWorker));
    EXPECT_FALSE(Allows(Role::kWorker, people[has]));
  }
  EXPECT_TRUE(Allows(Role::kWorker, Role::kWorker));
}

TEST(Policy, WhatChangesSomethingIsNotForViewers) {
  for (const MethodPolicy& policy : MethodPolicies()) {
    EXPECT_FALSE(policy.changes && Allows(Role::kViewer, policy.least)) << policy.method;
  }
  EXPECT_EQ(FindPolicy("/quantd.v1.JobService/Nothing"), nullptr);
  EXPECT_EQ(FindPolicy("CreateJob"), nullptr);
}

}  // namespace
}  // namespace quantd
