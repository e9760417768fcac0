// What every object store does. An adapter's test derives from ObjectStoreContract with a parameter that
// opens it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "storage/objects/object_store.h"

namespace quantd {

struct StoreUnderTest {
  const char* name;
  // Opens the store at an empty or existing place below `folder`.
  std::function<std::unique_ptr<ObjectStore>(const std::string& folder)> open;
  // Whether another process, or a later one, sees what was stored.
  bool outlives_process = true;
  // Whether an object that is replaced or removed while it is open stays readable; else reads fail with
  // ABORTED or NOT_FOUND.
  bool keeps_what_is_open = true;
  // Of the test that commits and removes at the same time.
  int race_rounds = 200;
};

class ObjectStoreContract : public testing::TestWithParam<StoreUnderTest> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // As a new process would see it, where one can.
  void Reopen() {
    if (store_ == nullptr || GetParam().outlives_process) store_ = GetParam().open(folder_);
  }

  // Runs `work` in another process, which is killed where `work` ends.
  void RunAndKill(const std::function<void()>& work);

  absl::Status Put(const std::string& key, const std::string& content);
  // The content, or the error's name.
  std::string Get(const std::string& key);

  std::string folder_;
  std::unique_ptr<ObjectStore> store_;
};

}  // namespace quantd
