// Several files, one after the other, as one.
#pragma once

#include <memory>
#include <vector>

#include "base/random_access_file.h"

namespace quantd::s3 {

std::unique_ptr<RandomAccessFile> JoinFiles(std::vector<std::unique_ptr<RandomAccessFile>> files);

}  // namespace quantd::s3
