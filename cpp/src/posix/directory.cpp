// SPDX-License-Identifier: Apache-2.0
#include "posix/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "clara_fastio/error.hpp"
#include "posix/system_error.hpp"

namespace clara_fastio::posix {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(Errc::invalid_argument, path + ": " + why);
}

void check_private(const struct stat& status, const std::string& path) {
  if (status.st_uid != ::geteuid()) {
    refuse(path, "belongs to user " + std::to_string(status.st_uid) + ", not to user " +
                     std::to_string(::geteuid()) + "; name a directory of your own");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    refuse(path, "is open to other users; run 'chmod 700 " + path + "' or name another directory");
  }
}

// False when the file was removed or replaced between open and flock.
bool is_still_there(int directory_fd, const std::string& name, int fd) {
  struct stat opened{};
  struct stat named{};
  if (::fstat(fd, &opened) != 0) throw_system_error("fstat", name);
  if (::fstatat(directory_fd, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    throw_system_error("fstatat", name);
  }
  return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

UniqueFd open_private_directory(const std::string& path) {
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) throw_system_error("mkdir", path);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && (errno == ENOTDIR || errno == ELOOP)) {
    refuse(path, "is a symbolic link or no directory; name a directory of your own");
  }
  if (!fd) throw_system_error("open", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) throw_system_error("fstat", path);
  check_private(status, path);
  return fd;
}

std::optional<UniqueFd> try_lock_file(int directory_fd, const std::string& name) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
  for (;;) {
    UniqueFd fd(::openat(directory_fd, name.c_str(), kFlags, S_IRUSR | S_IWUSR));
    if (!fd) throw_system_error("openat", name);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      if (errno == EINTR) continue;
      throw_system_error("flock", name);
    }
    if (is_still_there(directory_fd, name, fd.get())) return fd;
  }
}

std::vector<std::string> list_directory(int directory_fd) {
  // A description of its own, so that the position is nobody else's.
  UniqueFd own(::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) throw_system_error("openat", "directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
  if (!stream) throw_system_error("fdopendir", "directory");
  (void)own.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

void remove_file(int directory_fd, const std::string& name) noexcept {
  (void)::unlinkat(directory_fd, name.c_str(), 0);
}

}  // namespace clara_fastio::posix
