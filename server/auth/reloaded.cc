#include "server/auth/reloaded.h"

#include <sys/stat.h>

namespace quantd {

std::vector<FileMark> MarksOf(const std::vector<std::string>& paths) {
  std::vector<FileMark> marks;
  for (const std::string& path : paths) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) facts = {};
    marks.emplace_back(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim.tv_sec,
                       facts.st_mtim.tv_nsec);
  }
  return marks;
}

}  // namespace quantd
