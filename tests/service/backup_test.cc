// The backup that docs/operations.md describes: the database first, then the bucket. What is restored serves
// the same bytes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "client/blob_fetcher.h"
#include "client/local_blob.h"
#include "storage/objects/open_store.h"
#include "tests/service/shared_cluster.h"

namespace quantd {
namespace {

constexpr char kPrograms[] = "/usr/lib/postgresql/15/bin/";

void RunCommand(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

void CopyObjects(ObjectStore& from, ObjectStore& to) {
  const std::vector<ObjectInfo> objects = *from.List("");
  for (const ObjectInfo& object : objects) {
    auto file = *from.OpenForRead(object.key);
    auto writer = *to.Create(object.key);
    const std::string bytes = *ReadAll(*file, 1 << 30);
    ASSERT_TRUE(writer->Append(std::as_bytes(std::span(bytes))).ok());
    ASSERT_TRUE(writer->Commit().ok());
  }
}

// A model of one file, sent by its own client.
v1::ArtifactFile Upload(const Connection& connection, const std::string& content) {
  v1::ArtifactFile file;
  file.set_path("model.safetensors");
  file.set_sha256(Sha256Hex(content));
  file.set_size(static_cast<int64_t>(content.size()));
  v1::CreateModelRequest request;
  v1::ModelFile* model_file = request.add_files();
  model_file->set_path(file.path());
  model_file->set_sha256(file.sha256());
  model_file->set_size(file.size());
  v1::CreateModelResponse created;
  EXPECT_TRUE(connection
                  .Call([&](grpc::ClientContext& context) {
                    return connection.models->CreateModel(&context, request, &created);
                  })
                  .ok());
  const std::string local = SharedCluster().folder() + "/backup-source";
  std::ofstream(local, std::ios::binary) << content;
  for (const v1::MissingBlob& missing : created.missing())
    EXPECT_TRUE(SendBlob(connection, missing.resource_name(), **LocalBlob::Open(local), [](int64_t) {}).ok());
  return file;
}

absl::Status Fetch(const Connection& connection, const v1::ArtifactFile& file, const std::string& path) {
  DirectReads direct(connection);
  return FetchBlob(connection, direct, file, path, [](int64_t) {});
}

TEST(Backup, WhatIsRestoredServesTheSameBytes) {
  const std::string dump = SharedCluster().folder() + "/catalogue.sql";
  const std::string copy = absl::StrCat("file:", SharedCluster().folder(), "/bucket-copy");
  const auto connection = SharedCluster().Connect(0);
  const v1::ArtifactFile saved = Upload(*connection, std::string(3 << 20, 'b'));

  RunCommand(absl::StrCat(kPrograms, "pg_dump --no-owner --file=", dump, " '",
                          SharedCluster().postgres().Address(), "'"));
  // Servers go on meanwhile: the bucket has more than the database knows.
  const v1::ArtifactFile later = Upload(*connection, std::string(1 << 20, 'l'));
  CopyObjects(*SharedCluster().OpenObjects(), **OpenObjectStore(copy));

  SharedCluster().Sql("CREATE DATABASE restored");
  const std::string restored = SharedCluster().postgres().Address("dbname=restored");
  RunCommand(absl::StrCat(kPrograms, "psql --quiet --output=/dev/null --set=ON_ERROR_STOP=1 --file=", dump,
                          " '", restored, "'"));
  ServerProcess server({.arguments = {"--catalogue", restored, "--objects", copy}});
  server.Start();
  const auto other = *Connection::Open({.server = server.address(), .credentials = {}});
  const absl::Status fetched = Fetch(*other, saved, SharedCluster().folder() + "/restored");
  EXPECT_TRUE(fetched.ok()) << fetched;
  EXPECT_TRUE(absl::IsNotFound(Fetch(*other, later, SharedCluster().folder() + "/later")));
  // What only the bucket knew is removed by the start.
  const std::vector<ObjectInfo> kept = *(*OpenObjectStore(copy))->List("blobs");
  for (const ObjectInfo& object : kept) EXPECT_EQ(object.key.find(later.sha256()), std::string::npos);
}

}  // namespace
}  // namespace quantd
