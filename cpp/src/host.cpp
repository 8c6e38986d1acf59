// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/host.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <utility>

#include "clara_fastio/error.hpp"
#include "clara_fastio/layout.hpp"
#include "clara_fastio/names.hpp"
#include "clara_fastio/protocol.hpp"
#include "host/server.hpp"
#include "posix/cgroup.hpp"
#include "posix/directory.hpp"
#include "posix/fork_guard.hpp"
#include "posix/socket.hpp"

namespace clara_fastio {
namespace {

constexpr std::chrono::milliseconds kInfoTime{1000};
constexpr std::string_view kLockSuffix = ".lock";
constexpr int kLockTries = 20;
constexpr std::chrono::milliseconds kLockPause{1};

/// What producers keep warm comes back when memory is short, but only from those who are asked.
std::uint64_t default_pool_limit() {
  constexpr std::uint64_t kLeast = 64ull << 20;
  constexpr std::uint64_t kShare = 8;
  return std::max(kLeast, posix::memory_room().bytes / kShare);
}

std::string prefix() { return "clara-fastio/" + std::to_string(geteuid()) + "/"; }

std::string digits(const std::string& name) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016lx", layout::hash_of(name.data(), name.size()));
  return text;
}

/// Where path sockets lie, for containers: empty when the environment names no folder.
std::string socket_directory() {
  const char* path = std::getenv("CLARA_FASTIO_DIR");
  return path == nullptr ? std::string{} : std::string(path);
}

/// The name of the context behind a socket; empty when its host says nothing.
std::string ask_name(int fd) {
  if (posix::peer_credentials(fd).uid != geteuid()) return {};
  protocol::Message message;
  message.operation = protocol::Operation::info;
  if (posix::send_message(fd, std::as_bytes(std::span(&message, 1))) != posix::IoResult::ok) {
    return {};
  }
  if (!posix::wait_readable(fd, -1, kInfoTime)) return {};
  const auto received = posix::receive_message(fd, std::as_writable_bytes(std::span(&message, 1)));
  if (received.nbytes != sizeof(message) || message.status != protocol::kOk) return {};
  return std::string(message.text_view());
}

/// For people: who hosts that name.
std::string hosting_process(const std::string& name) {
  try {
    const posix::UniqueFd fd(Host::find(name));
    const auto pid = posix::peer_credentials(fd.get()).pid;
    if (pid == getpid()) return "this process";
    return "process " + std::to_string(pid) + " of this user";
  } catch (const Error&) {
    return "a process of this user";  // It ends just now, or does not answer.
  }
}

/// The lock on a name; whoever has it owns what lies there. Nothing when a living host has it.
std::optional<posix::UniqueFd> lock_name(int directory_fd, const std::string& file) {
  for (int tries = 0;; ++tries) {
    auto lock = posix::try_lock_file(directory_fd, file + std::string(kLockSuffix));
    if (lock || tries == kLockTries) return lock;
    std::this_thread::sleep_for(kLockPause);  // A sweep holds it for a moment.
  }
}

/// Removes what hosts left that were killed.
void sweep(int directory_fd) {
  for (const std::string& name : posix::list_directory(directory_fd)) {
    if (name.size() != digits("").size() + kLockSuffix.size() || !name.ends_with(kLockSuffix)) {
      continue;
    }
    if (const auto lock = posix::try_lock_file(directory_fd, name)) {
      posix::remove_file(directory_fd, name.substr(0, name.size() - kLockSuffix.size()));
      posix::remove_file(directory_fd, name);
    }
  }
}

}  // namespace

struct Host::State {
  std::uint64_t fork_generation = posix::fork_generation();
  posix::UniqueFd directory;  ///< of the path socket
  posix::UniqueFd name_lock;  ///< flock on the path socket's name
  std::string socket_file;
  std::vector<int> listener_fds;
  std::unique_ptr<host::Server> server;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  /// Also when the constructor of `Host` fails: forked children would close what has a number next.
  ~State() {
    if (name_lock) {
      posix::remove_file(directory.get(), socket_file);
      posix::remove_file(directory.get(), socket_file + std::string(kLockSuffix));
    }
    for (const int fd : listener_fds) posix::forget_in_children(fd);
    if (name_lock) posix::forget_in_children(name_lock.get());
  }
};

Host::Host(const HostOptions& options) : name_(options.name), state_(std::make_unique<State>()) {
  check_name(name_, "context");
  if (options.capacity == 0 || options.capacity > layout::kMaxEntries) {
    throw Error(Errc::invalid_argument, "the capacity of a context is 1 to 1048576 entries, not " +
                                            std::to_string(options.capacity));
  }
  std::vector<posix::UniqueFd> listeners;
  try {
    listeners.push_back(posix::listen_abstract(prefix() + digits(name_)));
  } catch (const Error& error) {
    if (error.code() != Errc::already_exists) throw;
    throw Error(Errc::already_exists, "a context named '" + name_ + "' is hosted by " +
                                          hosting_process(name_) +
                                          "; open it, or choose another name");
  }
  if (const std::string path = socket_directory(); !path.empty()) {
    state_->directory = posix::open_private_directory(path);
    state_->socket_file = digits(name_);
    const int directory = state_->directory.get();
    sweep(directory);
    auto lock = lock_name(directory, state_->socket_file);
    if (!lock) {
      throw Error(Errc::already_exists,
                  "a context named '" + name_ + "' is hosted already in " + path);
    }
    state_->name_lock = std::move(*lock);
    // Shared with a forked child, the lock would outlive this process.
    posix::close_in_children(state_->name_lock.get());
    posix::remove_file(directory, state_->socket_file);
    listeners.push_back(posix::listen_path(directory, state_->socket_file));
  }
  for (const posix::UniqueFd& fd : listeners) {
    // A forked child would keep the name taken after this process has died.
    posix::close_in_children(fd.get());
    state_->listener_fds.push_back(fd.get());
  }
  state_->server = std::make_unique<host::Server>(
      host::Server::Options{name_, options.capacity, options.memory_limit,
                            options.pool_limit.value_or(default_pool_limit())},
      std::move(listeners));
}

Host::~Host() {
  if (state_->fork_generation != posix::fork_generation()) {
    // The threads are the parent's; there is nothing to stop here.
    (void)state_.release();
    return;
  }
  state_->server->stop();
}

int Host::connect(const std::string& role) {
  auto [mine, theirs] = posix::seqpacket_pair();
  state_->server->adopt(std::move(mine), role);
  return theirs.release();
}

void Host::adopt(int fd, const std::string& role) {
  state_->server->adopt(posix::UniqueFd(fd), role);
}

std::vector<std::string> Host::list() {
  std::vector<std::string> names;
  for (const std::string& address : posix::list_abstract(prefix())) {
    try {
      const posix::UniqueFd fd = posix::connect_abstract(address);
      if (std::string name = ask_name(fd.get()); !name.empty()) names.push_back(std::move(name));
    } catch (const Error&) {
      // It ended between the listing and the question.
    }
  }
  return names;
}

int Host::find(const std::string& name) {
  check_name(name, "context");
  try {
    if (const std::string path = socket_directory(); !path.empty()) {
      const posix::UniqueFd directory = posix::open_private_directory(path);
      return posix::connect_path(directory.get(), digits(name)).release();
    }
    return posix::connect_abstract(prefix() + digits(name)).release();
  } catch (const Error& error) {
    if (error.code() != Errc::not_found) throw;
    throw Error(Errc::not_found, "no process of this user hosts a context named '" + name +
                                     "' on this machine; is its host running?");
  }
}

}  // namespace clara_fastio
