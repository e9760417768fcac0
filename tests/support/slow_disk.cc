// A disk that a test makes slow, for programs that load this library before the C library (LD_PRELOAD): so a
// job on the real programs has a middle that lasts as long as the test wants.
//
// An object store is slow while a file named "slow" lies in its data folder. Each read of one of its objects
// then takes 100 ms; one that begins in the last tenth of an object does not return before the file is gone,
// so that no job reads its checkpoint to the end.
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

namespace {

namespace fs = std::filesystem;

// The file that makes reads from this one slow; empty where it is no object.
fs::path SwitchOf(int fd) {
  std::error_code error;
  const std::string path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), error).string();
  const size_t objects = path.find("/objects/");
  return error || objects == std::string::npos ? fs::path() : fs::path(path.substr(0, objects)) / "slow";
}

bool IsInLastTenth(int fd, int64_t offset) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && offset * 10 >= int64_t{info.st_size} * 9;
}

void DelayRead(int fd, int64_t offset) {
  constexpr std::chrono::milliseconds kRead(100);
  const fs::path slow = SwitchOf(fd);
  const auto is_slow = [&] {
    std::error_code error;
    return !slow.empty() && fs::exists(slow, error);
  };
  if (is_slow()) std::this_thread::sleep_for(kRead);
  while (IsInLastTenth(fd, offset) && is_slow()) std::this_thread::sleep_for(kRead);
}

using Read = ssize_t (*)(int, void*, size_t, off_t);

}  // namespace

extern "C" {

// Both names that the C library has for it where off_t has 64 bits.
ssize_t pread(int fd, void* buffer, size_t size, off_t offset) {
  static const auto read = reinterpret_cast<Read>(::dlsym(RTLD_NEXT, "pread"));
  DelayRead(fd, offset);
  return read(fd, buffer, size, offset);
}

ssize_t pread64(int fd, void* buffer, size_t size, off64_t offset) {
  return ::pread(fd, buffer, size, offset);
}

}  // extern "C"
