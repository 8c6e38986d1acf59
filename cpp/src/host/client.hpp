// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "clara_fastio/protocol.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::host {

/// What a client waits for while a worker reserves memory for it.
struct Pending {
  std::uint64_t ticket = 0;
  protocol::Message request;
  std::uint64_t nbytes = 0;
};

/// Memory that a client has to map and prepare before others may see it.
struct Offer {
  std::uint32_t index = layout::kNone;
  std::uint64_t generation = 0;
  layout::Location location;
  layout::DeviceRecord device;
};

/// What a client is told without having asked, until it has read what came before.
struct Notice {
  protocol::Operation operation{};
  std::uint32_t index = layout::kNone;
  std::uint64_t generation = 0;
  std::uint64_t segment = 0;
};

/// One connection, from accept to the end of the process behind it.
struct Client {
  enum class State { greeting, active, quarantined };

  std::uint64_t id = 0;
  State state = State::greeting;
  posix::UniqueFd socket;
  posix::UniqueFd pidfd;
  posix::UniqueFd notices;
  std::string role;
  std::uint32_t slot = layout::kNone;
  std::uint64_t generation = 0;  ///< of the slot
  std::int32_t pid = 0;
  std::optional<Pending> pending;
  std::optional<Offer> offer;
  std::deque<Notice> unsent_notices;
  std::chrono::steady_clock::time_point last_sign;
  /// A connection that we made ourselves may be used late: its process may load for minutes.
  bool may_greet_late = false;
  /// It said that it holds nothing any more; else only its death ends its slot.
  bool has_left = false;
  /// Its locks and bits were given back; only what it promised of devices is open.
  bool is_repaired = false;
  /// It does not read its notices; it is disconnected as soon as nothing iterates over clients.
  bool is_lost = false;

  /// The word that a lock of this process holds.
  std::uint64_t writer_word() const noexcept { return generation << 8 | slot; }
};

}  // namespace clara_fastio::host
