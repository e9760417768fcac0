#include "storage/objects/memory_store.h"

#include "tests/contract/object_store_contract.h"

namespace quantd {
namespace {

const StoreUnderTest kMemory = {"Memory", [](const std::string& /*folder*/) { return OpenMemoryStore(); },
                                /*outlives_process=*/false};

INSTANTIATE_TEST_SUITE_P(Memory, ObjectStoreContract, testing::Values(kMemory),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace quantd
