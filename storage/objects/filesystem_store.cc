#include "storage/objects/filesystem_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/relative_path.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace quantd {
namespace {

namespace fs = std::filesystem;

absl::Status WriteAll(int fd, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", path));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncFile(int fd, const std::string& path) {
  if (::fsync(fd) != 0) return ErrnoStatus(errno, absl::StrCat("cannot flush ", path));
  return absl::OkStatus();
}

absl::Status SyncFolder(const fs::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("cannot open ", folder.string()));
  return SyncFile(fd.get(), folder.string());
}

// Makes missing folders and flushes each parent that got a new one.
absl::Status MakeFolders(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return absl::OkStatus();
  RETURN_IF_ERROR(MakeFolders(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("cannot make the folder ", folder.string()));
  }
  return SyncFolder(folder.parent_path());
}

// The durable bytes of `fd` become the object `target`: flush, rename, flush the folder.
absl::Status Publish(int fd, const fs::path& from, const fs::path& target) {
  RETURN_IF_ERROR(SyncFile(fd, from.string()));
  // A concurrent Remove may take the folder away while it is empty; the next try makes it again.
  constexpr int kTries = 100;
  for (int attempt = 1;; ++attempt) {
    absl::Status status = MakeFolders(target.parent_path());
    if (status.ok() && ::rename(from.c_str(), target.c_str()) == 0) break;
    if (status.ok()) status = ErrnoStatus(errno, absl::StrCat("cannot rename to ", target.string()));
    if (!absl::IsNotFound(status) || attempt == kTries) return status;
  }
  absl::Status synced = SyncFolder(target.parent_path());
  // The object was removed again already, and its folder with it.
  return absl::IsNotFound(synced) ? absl::OkStatus() : synced;
}

// A new file that holds a lock until it is closed, also by the end of its process: the sign that somebody
// still writes it.
absl::StatusOr<UniqueFd> CreateLocked(const fs::path& path) {
  for (;;) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("cannot create ", path.string()));
    if (::flock(fd.get(), LOCK_EX) != 0)
      return ErrnoStatus(errno, absl::StrCat("cannot lock ", path.string()));
    // A store that opened in between may have taken the file for a leftover.
    struct stat info;
    if (::fstat(fd.get(), &info) == 0 && info.st_nlink > 0) return fd;
  }
}

// Has the disk write a file of `size` bytes while it grows: without it the kernel waits for seconds, and
// whoever flushes the file waits for all of it. `begun` bytes were told before; false when too few came
// since.
bool BeginFlush(int fd, uint64_t size, uint64_t& begun) {
  constexpr uint64_t kBytes = uint64_t{8} << 20;
  if (size - begun < kBytes) return false;
  // What fails is told by fsync.
  ::sync_file_range(fd, static_cast<off_t>(begun), static_cast<off_t>(size - begun), SYNC_FILE_RANGE_WRITE);
  begun = size;
  return true;
}

class FilesystemWriter final : public ObjectWriter {
 public:
  FilesystemWriter(UniqueFd fd, fs::path temporary, fs::path target)
      : fd_(std::move(fd)), temporary_(std::move(temporary)), target_(std::move(target)) {}
  ~FilesystemWriter() override {
    if (!committed_) ::unlink(temporary_.c_str());
  }

  absl::Status Append(std::span<const std::byte> bytes) override {
    RETURN_IF_ERROR(WriteAll(fd_.get(), bytes, temporary_.string()));
    size_ += bytes.size();
    if (!BeginFlush(fd_.get(), size_, begun_) || size_ <= kCachedBytes) return absl::OkStatus();
    return Release(size_ - kCachedBytes);
  }

  absl::Status Commit() override {
    RETURN_IF_ERROR(Publish(fd_.get(), temporary_, target_));
    committed_ = true;
    return absl::OkStatus();
  }

 private:
  // The end of a file; a large one does not push out of the page cache what others have there, and whoever
  // checks it reads the disk.
  static constexpr uint64_t kCachedBytes = uint64_t{64} << 20;

  // Bytes before `end` leave the page cache, as soon as they are on the disk.
  absl::Status Release(uint64_t end) {
    const auto begin = static_cast<off_t>(released_), size = static_cast<off_t>(end - released_);
    constexpr unsigned kWait =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    // What is told here, fsync does not tell again. Some sandboxes have no such call.
    if (::sync_file_range(fd_.get(), begin, size, kWait) != 0 && errno != ENOSYS)
      return ErrnoStatus(errno, absl::StrCat("cannot write ", temporary_.string()));
    ::posix_fadvise(fd_.get(), begin, size, POSIX_FADV_DONTNEED);
    released_ = end;
    return absl::OkStatus();
  }

  UniqueFd fd_;
  fs::path temporary_;
  fs::path target_;
  uint64_t size_ = 0;
  uint64_t begun_ = 0;     // to be flushed
  uint64_t released_ = 0;  // from the page cache
  bool committed_ = false;
};

class FilesystemUpload final : public ResumableUpload {
 public:
  FilesystemUpload(UniqueFd fd, fs::path path, fs::path objects, uint64_t size)
      : fd_(std::move(fd)),
        path_(std::move(path)),
        objects_(std::move(objects)),
        size_(size),
        durable_(size),
        begun_(size) {}

  uint64_t durable_size() const override { return durable_; }

  absl::Status Append(std::span<const std::byte> bytes) override {
    if (absl::Status status = WriteAll(fd_.get(), bytes, path_.string()); !status.ok()) {
      // A full disk may have taken a part of them, and the next bytes go to the file's end.
      if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0)
        return ErrnoStatus(errno, absl::StrCat("cannot truncate ", path_.string()));
      return status;
    }
    size_ += bytes.size();
    BeginFlush(fd_.get(), size_, begun_);
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    RETURN_IF_ERROR(SyncFile(fd_.get(), path_.string()));
    durable_ = size_;
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> ReadBack() override {
    return OpenLocalFile(path_.string());
  }

  absl::Status Commit(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    return Publish(fd_.get(), path_, objects_ / key);
  }

  absl::Status Discard() override {
    if (::unlink(path_.c_str()) != 0 && errno != ENOENT)
      return ErrnoStatus(errno, absl::StrCat("cannot remove ", path_.string()));
    return absl::OkStatus();
  }

 private:
  UniqueFd fd_;
  fs::path path_;
  fs::path objects_;
  uint64_t size_;
  uint64_t durable_;
  uint64_t begun_;  // to be flushed
};

class FilesystemStore final : public ObjectStore {
 public:
  explicit FilesystemStore(const fs::path& folder)
      : objects_(folder / "objects"), uploads_(folder / "uploads"), temporary_(folder / "temporary") {}

  absl::Status Prepare() {
    for (const fs::path& folder : {objects_, uploads_, temporary_}) RETURN_IF_ERROR(MakeFolders(folder));
    RemoveLeftovers();
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForRead(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    return OpenLocalFile((objects_ / key).string());
  }

  absl::StatusOr<std::unique_ptr<ObjectWriter>> Create(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    fs::path path = temporary_ / RandomId();
    ASSIGN_OR_RETURN(UniqueFd fd, CreateLocked(path));
    return std::make_unique<FilesystemWriter>(std::move(fd), std::move(path), objects_ / key);
  }

  absl::StatusOr<ObjectInfo> Stat(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    struct stat info;
    const std::string path = (objects_ / key).string();
    if (::stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("object ", key));
    if (!S_ISREG(info.st_mode)) return absl::NotFoundError(absl::StrCat("there is no object ", key));
    return ObjectInfo{key, static_cast<uint64_t>(info.st_size)};
  }

  absl::StatusOr<std::vector<ObjectInfo>> List(const std::string& prefix) override {
    if (!prefix.empty()) RETURN_IF_ERROR(CheckRelativePath(prefix));
    std::vector<ObjectInfo> found;
    const fs::path root = prefix.empty() ? objects_ : objects_ / prefix;
    std::error_code error;
    if (!fs::is_directory(root, error)) return found;
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
      std::error_code entry_error;
      if (!it->is_regular_file(entry_error)) continue;
      const uint64_t size = it->file_size(entry_error);
      if (!entry_error) found.push_back({fs::relative(it->path(), objects_).generic_string(), size});
    }
    if (error) return absl::InternalError(absl::StrCat("cannot list ", root.string(), ": ", error.message()));
    std::sort(found.begin(), found.end(),
              [](const ObjectInfo& a, const ObjectInfo& b) { return a.key < b.key; });
    return found;
  }

  absl::Status Remove(const std::string& key) override {
    RETURN_IF_ERROR(CheckRelativePath(key));
    const fs::path path = objects_ / key;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      return ErrnoStatus(errno, absl::StrCat("cannot remove ", key));
    // Folders have no meaning here: the empty ones go with their last object.
    for (fs::path folder = path.parent_path(); folder != objects_ && ::rmdir(folder.c_str()) == 0;)
      folder = folder.parent_path();
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<ResumableUpload>> ResumeUpload(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    const fs::path path = uploads_ / id;
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("cannot open ", path.string()));
    RETURN_IF_ERROR(SyncFile(fd.get(), path.string()));
    RETURN_IF_ERROR(SyncFolder(uploads_));
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("cannot stat ", path.string()));
    return std::make_unique<FilesystemUpload>(std::move(fd), path, objects_,
                                              static_cast<uint64_t>(info.st_size));
  }

  absl::StatusOr<uint64_t> UploadSize(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    struct stat info;
    const std::string path = (uploads_ / id).string();
    if (::stat(path.c_str(), &info) == 0) return static_cast<uint64_t>(info.st_size);
    if (errno == ENOENT) return uint64_t{0};
    return ErrnoStatus(errno, absl::StrCat("cannot stat ", path));
  }

  absl::StatusOr<std::vector<std::string>> ListUploads() override {
    std::vector<std::string> ids;
    std::error_code error;
    for (fs::directory_iterator it(uploads_, error), end; !error && it != end; it.increment(error))
      ids.push_back(it->path().filename().string());
    if (error)
      return absl::InternalError(absl::StrCat("cannot list ", uploads_.string(), ": ", error.message()));
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  absl::Status DiscardUpload(const std::string& id) override {
    RETURN_IF_ERROR(CheckUploadId(id));
    if (::unlink((uploads_ / id).c_str()) != 0 && errno != ENOENT)
      return ErrnoStatus(errno, absl::StrCat("cannot remove the upload ", id));
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<uint64_t>> FreeBytes() override {
    struct statvfs info;
    if (::statvfs(objects_.c_str(), &info) != 0) return ErrnoStatus(errno, "cannot ask for free space");
    return uint64_t{info.f_bavail} * info.f_frsize;
  }

 private:
  // What no living process has locked.
  void RemoveLeftovers() {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(temporary_, error)) {
      UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
      if (fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(entry.path().c_str());
    }
  }

  fs::path objects_;
  fs::path uploads_;
  fs::path temporary_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ObjectStore>> OpenFilesystemStore(const std::string& folder) {
  // Whatever becomes of the working folder, or of this one.
  std::error_code error;
  const fs::path absolute = fs::absolute(folder, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot find the folder ", folder));
  auto store = std::make_unique<FilesystemStore>(absolute);
  RETURN_IF_ERROR(store->Prepare());
  return store;
}

}  // namespace quantd
