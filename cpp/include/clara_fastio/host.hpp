// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clara_fastio/export.hpp"

namespace clara_fastio {

struct HostOptions {
  std::string name;
  std::uint32_t capacity = 131072;  ///< entries at most
  std::uint64_t memory_limit = 0;   ///< bytes of all segments, 0 for none
  /// Bytes of freed memory kept warm for each producer; by default an eighth of what the machine
  /// and the cgroup have room for when the context begins, and 64 MiB at least.
  std::optional<std::uint64_t> pool_limit;
};

/// The threads that serve a context in this process; the context ends with this object.
///
/// Thread safety: all members from any thread.
class CLARA_FASTIO_EXPORT Host {
 public:
  /// Throws: `Errc::already_exists` when another process of this user hosts the name.
  explicit Host(const HostOptions& options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// A descriptor, closed on exec, whose opener gets `role`. The caller owns it.
  int connect(const std::string& role);
  /// Serves a connected socket, whose opener gets `role`, and takes the descriptor unless it
  /// throws.
  void adopt(int fd, const std::string& role);
  const std::string& name() const noexcept { return name_; }

  /// Names of the contexts that this user hosts on this machine.
  static std::vector<std::string> list();
  /// A socket to the host of that name. Throws: `Errc::not_found`.
  static int find(const std::string& name);

 private:
  struct State;
  std::string name_;
  std::unique_ptr<State> state_;
};

}  // namespace clara_fastio
