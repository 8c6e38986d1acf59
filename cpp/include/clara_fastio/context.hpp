// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clara_fastio/export.hpp"
#include "clara_fastio/host.hpp"
#include "clara_fastio/layout.hpp"
#include "clara_fastio/queue.hpp"
#include "clara_fastio/shape.hpp"

namespace clara_fastio {

class Entry;
struct Block;

namespace client {
struct Answer;
}
namespace protocol {
struct Message;
}

/// What a variable is, before it has memory.
struct Declaration {
  std::string name;
  ElementType element_type = ElementType::uint8;
  Shape shape;
  layout::Order order = layout::Order::row_major;
  bool is_sealed = false;
  std::string producer_role;  ///< empty: whoever comes first
  QueueOptions queue;         ///< of a variable that carries a stream of frames
  layout::Memory memory = layout::Memory::host;
  layout::DeviceId device{};  ///< all zero: the producer's choice
  bool may_stage = false;     ///< host memory may stand in for device memory
  bool is_pinned = false;     ///< memory of the host that processes register with their devices
};

/// What a private allocation on a device is to be.
struct DeviceOptions {
  layout::DeviceId device{};
  bool may_stage = false;
  bool zero = false;  ///< else it holds what the device left there
};

/// One entry as a stranger sees it, for people.
struct EntryInfo {
  std::uint32_t index = 0;
  std::string name;
  layout::EntryKind kind = layout::EntryKind::none;
  layout::EntryState state = layout::EntryState::free;
  ElementType element_type = ElementType::none;
  layout::Order order = layout::Order::row_major;
  std::uint32_t flags = 0;
  Shape declared;
  Shape shape;  ///< of the content; the declared one while there is none
  std::uint64_t version = 0;
  std::uint64_t capacity = 0;
  layout::DeviceRecord device{};
  std::uint64_t segment = 0;
  std::uint64_t segment_nbytes = 0;
  std::int32_t producer = -1;  ///< slot
  std::int32_t writer = -1;    ///< slot
  std::vector<std::uint32_t> readers;
  std::vector<std::uint32_t> references;
};

/// One process of a context, for people.
struct ProcessInfo {
  std::uint32_t slot = 0;
  std::int32_t pid = 0;
  bool is_quarantined = false;
  std::uint64_t since = 0;  ///< CLOCK_MONOTONIC, ns
  std::string role;
};

/// A process's view of a context: the directory of the shared memory of one job.
///
/// Lifetime: entries hold their context, so the tables stay mapped as long as anything needs them.
/// Thread safety: all members from any thread.
class CLARA_FASTIO_EXPORT Context : public std::enable_shared_from_this<Context> {
 public:
  /// Hosts a context in this process. Throws: `Errc::already_exists`, `Errc::out_of_memory`.
  static std::shared_ptr<Context> host(const HostOptions& options);
  /// Opens the context of that name; the one that is open here already, if there is one.
  /// Throws: `Errc::not_found`, `Errc::version_mismatch`.
  static std::shared_ptr<Context> open(const std::string& name);
  /// Opens the context behind a connected socket and takes the descriptor.
  static std::shared_ptr<Context> open_socket(int fd);
  ~Context();

  const std::string& name() const noexcept;
  std::string role() const;
  std::uint32_t slot() const noexcept;
  bool is_host() const noexcept;
  bool is_closed() const noexcept;
  /// Ends this process's part; waits for nobody. Maps that exist stay valid. Fine to call twice.
  void close();
  /// See `Host::connect`. Throws: `Errc::read_only` when this process is not the host.
  int connect(const std::string& role);
  /// See `Host::adopt`. Throws: `Errc::read_only` when this process is not the host.
  void adopt(int fd, const std::string& role);

  /// The variable of that name, made if there is none. `is_new` tells which.
  std::shared_ptr<Entry> declare(const Declaration& declaration, bool& is_new);
  /// Private memory of at least `nbytes`, recycled from the pool where that fits.
  std::shared_ptr<Entry> create(std::uint64_t nbytes, bool zero);
  /// Private memory of a device (context_device.cpp).
  std::shared_ptr<Entry> create_on_device(std::uint64_t nbytes, const DeviceOptions& options);
  /// Null when there is no such name.
  std::shared_ptr<Entry> find(const std::string& name);
  /// Gives memory to every fixed-size output, and every stream, that is bound to this process's
  /// role.
  void allocate_outputs();

  /// Opens the device memory that is there already, so that no map has to. Never throws: what
  /// cannot be opened here is the affair of who maps it.
  void open_devices() noexcept;
  /// Has a thread give up what is above the limit of unreferenced device memory.
  void tidy_devices() noexcept;

  /// A number that changes with every name that appears or goes.
  std::uint32_t names_event() const;
  /// Sleeps until that number is another, or `slice` is over.
  void wait_for_names(std::uint32_t seen, std::chrono::nanoseconds slice) const;
  std::uint32_t size() const;
  std::vector<EntryInfo> entries();
  std::vector<ProcessInfo> processes() const;

  /// Throws: `Errc::forked`, `Errc::closed`, `Errc::host_died`.
  void check() const;
  bool is_usable() const noexcept;
  /// Throws: `Errc::forked`. A forked child has neither the tables nor the lock lines.
  void check_process() const;
  /// Whether this is a forked child of the process that opened it.
  bool is_foreign() const noexcept;

  /// A request for memory; when there is too little, the process's own pool goes back first.
  client::Answer request_memory(const protocol::Message& message);
  /// The same with memory of a device, which this process makes when the host has none of its own.
  client::Answer request_device_memory(protocol::Message message, layout::EntryKind kind);

  struct State;
  State& state() noexcept { return *state_; }

  explicit Context(std::unique_ptr<State> state);

 private:
  static std::shared_ptr<Context> attach(int fd, const std::string& name,
                                         std::unique_ptr<Host> host);
  void finish() noexcept;
  bool wait_for_devices() noexcept;
  void give_pool_back();
  void clear_on_device(const std::shared_ptr<Block>& block, std::uint64_t nbytes);
  std::shared_ptr<Block> map_created(const client::Answer& answer);

  std::unique_ptr<State> state_;
};

}  // namespace clara_fastio
