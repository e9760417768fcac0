#include "storage/objects/s3_store.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/contract/object_store_contract.h"
#include "tests/contract/s3_server.h"

namespace quantd {
namespace {

const StoreUnderTest kS3 = {
    "S3", [](const std::string& folder) { return *OpenS3Store(S3Server::Place(folder), S3Server::Owner()); },
    /*outlives_process=*/true, /*keeps_what_is_open=*/false, /*race_rounds=*/20};

INSTANTIATE_TEST_SUITE_P(S3, ObjectStoreContract, testing::Values(kS3),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace quantd
