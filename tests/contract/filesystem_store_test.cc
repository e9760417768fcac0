#include "storage/objects/open_store.h"
#include "tests/contract/object_store_contract.h"

namespace quantd {
namespace {

const StoreUnderTest kFilesystem = {
    "Filesystem", [](const std::string& folder) { return *OpenObjectStore("file:" + folder + "/store"); }};

INSTANTIATE_TEST_SUITE_P(Stores, ObjectStoreContract, testing::Values(kFilesystem),
                         [](const auto& test) { return test.param.name; });

TEST(OpenObjectStore, RefusesUnknownSchemes) {
  EXPECT_EQ(OpenObjectStore("ftp://x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenObjectStore("file:").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quantd
