// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "clara_fastio/error.hpp"
#include "clara_fastio/protocol.hpp"
#include "host/client.hpp"
#include "host/device_words.hpp"
#include "host/directory.hpp"
#include "host/segments.hpp"
#include "host/streams.hpp"
#include "host/workers.hpp"
#include "posix/epoll.hpp"
#include "posix/event_fd.hpp"
#include "posix/socket.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::host {

/// The thread that hosts a context: it answers requests, and repairs what the dead left.
///
/// It never waits for a client and never for the memory of data. All tables belong to its thread;
/// other threads reach it through `adopt()` and `stop()` alone.
class Server {
 public:
  struct Options {
    std::string name;
    std::uint32_t capacity;
    std::uint64_t memory_limit;  ///< bytes, 0 for none
    std::uint64_t pool_limit;    ///< bytes of freed memory kept warm for each producer
  };

  Server(Options options, std::vector<posix::UniqueFd> listeners);
  ~Server();

  /// Serves one more connection, whose process gets this role.
  void adopt(posix::UniqueFd socket, std::string role);
  void stop() noexcept;

 private:
  using Message = protocol::Message;
  struct Adopted {
    posix::UniqueFd socket;
    std::string role;
  };

  /// A freed entry, with what a look at a hundred thousand of them needs.
  struct Doomed {
    std::uint32_t index;
    std::uint32_t producer;  ///< as in the record
    layout::EntryKind kind;
    bool can_stay_warm;
    std::uint64_t capacity;  ///< bytes of the host, or of a device
    layout::Memory memory;
  };

  /// A block that was replaced by a larger one, while readers may hold it.
  struct Replaced {
    layout::Location location;
    layout::DeviceLocation device;
    std::vector<std::uint64_t> promises;  ///< of devices that may still work on it
  };

  /// Who waits for memory that a worker reserves.
  struct Ticket {
    std::uint64_t client;
    std::uint64_t nbytes;
  };

  void run() noexcept;
  void serve_event(std::uint64_t key, std::uint32_t events);
  void accept_adopted();
  void accept_waiting(std::size_t listener);
  void add_client(posix::UniqueFd socket, std::string role, bool may_greet_late);
  void read_client(Client& client);
  void handle(Client& client, const Message& request, posix::Received& received);
  void answer(Client& client, Message& message, std::initializer_list<int> fds = {});
  void fail(Client& client, const Message& request, const Error& error);
  void disconnect(std::uint64_t client_id, bool clean);
  void bury(std::uint64_t client_id);
  void tick();
  void tick_client(Client& client, std::chrono::steady_clock::time_point now);

  // Requests, one function each (requests.cpp, memory.cpp).
  void on_info(Client& client, const Message& request);
  void on_hello(Client& client, const Message& request, posix::Received& received);
  void on_declare(Client& client, const Message& request);
  static void require_device(const Message& request);
  void on_describe(Client& client, const Message& request);
  void on_publish(Client& client, const Message& request);
  void on_free(Client& client, const Message& request);
  void on_drop(Client& client, const Message& request);
  void on_create(Client& client, const Message& request);
  void on_produce(Client& client, const Message& request);
  void on_produced(Client& client, const Message& request);
  void on_open_segment(Client& client, const Message& request);
  void on_freeze(Client& client, const Message& request);

  // Streams of frames (server_streams.cpp).
  void make_stream(std::uint32_t index, layout::QueueRecord queue);
  void drop_stream(std::uint32_t index);
  void repair_streams(const Client& client, bool has_died);
  void on_subscribe(Client& client, const Message& request);
  void on_unsubscribe(Client& client, const Message& request);
  void on_unreserve(Client& client, const Message& request);

  // Memory of devices (server_devices.cpp).
  void make_device_words(std::uint32_t index, const layout::DeviceRecord& device);
  void drop_device_words(std::uint32_t index);
  bool is_device_idle(std::uint32_t index) const;
  std::optional<layout::DeviceLocation> take_device_block(std::uint32_t slot,
                                                          const Message& request,
                                                          layout::EntryKind kind);
  void release_device(const layout::DeviceLocation& location);
  void ask_for_segment(Client& client, const Message& request);
  void on_add_segment(Client& client, const Message& request, posix::Received& received);
  void on_unmapped(Client& client, const Message& request);
  bool settle_devices(const Client& client);
  void lose_content_of(std::uint32_t slot);
  void finish_retirements();
  bool retire_device(Segment& segment);

  // Memory (memory.cpp).
  void request_parts(Client& client, Message request, layout::EntryKind kind, bool own_segment);
  void request_memory(Client& client, const Message& request, layout::EntryKind kind,
                      std::uint64_t capacity, bool own_segment);
  void finish_reservations();
  void finish_reservation(Client& client, Reservation& done);
  void abandon_pending(Client& client);
  void offer_memory(Client& client, const Message& request, const layout::Location& location);
  void require_producer(const Client& client, const layout::EntryRecord& record);
  struct Warm {
    layout::Location location;
    layout::DeviceRecord device;
  };
  std::optional<Warm> take_warm(std::uint32_t producer, const Message& request);
  bool fits(const Doomed& one, const Message& request);
  void release_block(const layout::Location& location);
  void retire(std::uint64_t segment_id);
  void abandon_offer(Client& client);

  // Life of entries, deaths (repair.cpp).
  const layout::EntryRecord& checked(const Message& request);
  void doom(std::uint32_t index);
  void forget_doomed(std::uint32_t index) noexcept;
  void reclaim(std::uint32_t index);
  void sweep(bool keep_warm = true);
  void make_room(const Client& asker);
  std::uint32_t take_record();
  void repair(const Client& client, bool has_died);
  void notify(Client& client, const Notice& notice) noexcept;
  static bool send_notice(Client& client, const Notice& notice);
  Client* client_of_slot(std::uint32_t slot) noexcept;

  const Options options_;
  Directory directory_;
  Segments segments_;
  Workers workers_;
  posix::Epoll epoll_;
  posix::EventFd wake_;
  posix::UniqueFd host_pidfd_;
  std::vector<posix::UniqueFd> listeners_;
  std::uint64_t last_client_ = 0;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t reserving_ = 0;  ///< bytes that workers are reserving
  std::unordered_map<std::uint64_t, std::unique_ptr<Client>> clients_;
  std::map<std::uint64_t, Ticket> tickets_;
  std::vector<Doomed> doomed_;  ///< oldest first
  std::unordered_multimap<std::uint32_t, Replaced> replaced_;
  std::unordered_map<std::uint32_t, Stream> streams_;       ///< by entry
  std::unordered_map<std::uint32_t, DeviceWords> devices_;  ///< by entry
  std::vector<std::uint64_t> dead_;  ///< clients whose repair failed: tried again
  std::vector<std::size_t> paused_;  ///< listeners, while no descriptor is free

  std::mutex adopted_mutex_;
  std::vector<Adopted> adopted_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace clara_fastio::host
