// The S3 server that the tests of one program share.
#pragma once

#include <string>

#include "storage/objects/s3/connection.h"
#include "tests/support/radosgw_process.h"

namespace quantd {

class S3Server {
 public:
  static constexpr char kBucket[] = "bucket";

  // Started before the program's first test, with kBucket.
  static RadosgwProcess& Get();
  // A prefix of kBucket that belongs to the test whose folder this is.
  static s3::Location Place(const std::string& folder);
  // Keys of the bucket's owner, and few and quick tries.
  static s3::Options Owner();
  static s3::Options WithKeys(const std::string& access_key, const std::string& secret_key);
};

}  // namespace quantd
