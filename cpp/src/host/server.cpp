// SPDX-License-Identifier: Apache-2.0
#include "host/server.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <ctime>
#include <utility>

#include "clara_fastio/error.hpp"
#include "kill_points.hpp"
#include "posix/pidfd.hpp"
#include "posix/rlimit.hpp"

namespace clara_fastio::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr milliseconds kTick{100};
constexpr seconds kGreetingTime{10};
constexpr seconds kProgressEvery{1};
/// Connections taken in a row, so that a crowd at the door does not starve those inside.
constexpr int kAcceptedAtOnce = 64;
/// A stopped process may leave so many notices unread: 8 MiB of the host's memory.
constexpr std::size_t kMaxNotices = 1u << 18;

/// What an epoll key is about; the client's number fills the other bits.
enum class Source : std::uint64_t { listener = 0, wake, workers, socket, process };

std::uint64_t key_of(Source source, std::uint64_t number) {
  return static_cast<std::uint64_t>(source) << 56 | number;
}

}  // namespace

Server::Server(Options options, std::vector<posix::UniqueFd> listeners)
    : options_(std::move(options)),
      directory_(options_.name, options_.capacity),
      workers_(options_.name),
      host_pidfd_(posix::open_pidfd(getpid())),
      listeners_(std::move(listeners)) {
  posix::raise_descriptor_limit();
  epoll_.add(wake_.fd(), key_of(Source::wake, 0), EPOLLIN);
  epoll_.add(workers_.ready_fd(), key_of(Source::workers, 0), EPOLLIN);
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    epoll_.add(listeners_[i].get(), key_of(Source::listener, i), EPOLLIN);
  }
  thread_ = std::thread([this] { run(); });
}

Server::~Server() { stop(); }

void Server::stop() noexcept {
  stopping_.store(true);
  wake_.signal();
  if (thread_.joinable()) thread_.join();
}

void Server::adopt(posix::UniqueFd socket, std::string role) {
  {
    const std::lock_guard lock(adopted_mutex_);
    adopted_.push_back({std::move(socket), std::move(role)});
  }
  wake_.signal();
}

void Server::run() noexcept {
  auto next_tick = steady_clock::now() + kTick;
  while (!stopping_.load()) {
    for (const epoll_event& event : epoll_.wait(kTick)) {
      try {
        serve_event(event.data.u64, event.events);
      } catch (const std::exception&) {
        // What one client made fail must not end the service for the others.
        const auto source = static_cast<Source>(event.data.u64 >> 56);
        const auto found = clients_.find(event.data.u64 & ~(0xffull << 56));
        // At the next tick, for what failed here may fail again now.
        if (source == Source::socket && found != clients_.end()) found->second->is_lost = true;
      }
    }
    if (steady_clock::now() >= next_tick) {
      try {
        tick();
      } catch (const std::exception&) {
        // Tried again at the next tick.
      }
      next_tick = steady_clock::now() + kTick;
    }
  }
  // Clients take the hang-up for the end of the context.
  clients_.clear();
  listeners_.clear();
}

void Server::serve_event(std::uint64_t key, std::uint32_t events) {
  const std::uint64_t number = key & ~(0xffull << 56);
  switch (static_cast<Source>(key >> 56)) {
    case Source::listener:
      return accept_waiting(number);
    case Source::wake:
      wake_.drain();
      accept_adopted();
      return;
    case Source::workers:
      finish_reservations();
      return;
    case Source::socket: {
      const auto found = clients_.find(number);
      if (found == clients_.end()) return;
      if ((events & EPOLLIN) != 0) {
        read_client(*found->second);
      } else {
        disconnect(number, false);
      }
      return;
    }
    case Source::process: {
      const auto found = clients_.find(number);
      if (found == clients_.end()) return;
      // The kernel has torn the memory of the process down: no late write can follow.
      CLARA_FASTIO_KILL_POINT("host.repair.begin");
      epoll_.remove(found->second->pidfd.get());
      dead_.push_back(number);
      if (found->second->state == Client::State::active) disconnect(number, false);
      return bury(number);
    }
  }
}

/// Repairs what the client held and gives its slot to the next. When that fails, which takes a lack
/// of memory, the client stays in `dead_` and the next tick tries again.
void Server::bury(std::uint64_t client_id) {
  Client& client = *clients_.at(client_id);
  if (!client.is_repaired) {
    repair(client, !client.has_left);
    client.is_repaired = true;
    CLARA_FASTIO_KILL_POINT("host.repair.done");
  }
  // Devices of the living may still have to do what its promises come after: the words are its own
  // until then, and the next tick looks again.
  if (!settle_devices(client)) return;
  directory_.slot(client.slot).state.store(0);
  clients_.erase(client_id);
  std::erase(dead_, client_id);
}

void Server::accept_waiting(std::size_t listener) {
  const int fd = listeners_.at(listener).get();
  try {
    for (int i = 0; i < kAcceptedAtOnce; ++i) {
      auto socket = posix::accept_connection(fd);
      if (!socket) return;
      add_client(std::move(*socket), "", false);
    }
  } catch (const Error&) {
    // No descriptor is free, and the event would fire without end: the next tick looks again.
    epoll_.remove(fd);
    paused_.push_back(listener);
  }
}

void Server::accept_adopted() {
  std::vector<Adopted> adopted;
  {
    const std::lock_guard lock(adopted_mutex_);
    adopted.swap(adopted_);
  }
  for (Adopted& one : adopted) add_client(std::move(one.socket), std::move(one.role), true);
}

void Server::add_client(posix::UniqueFd socket, std::string role, bool may_greet_late) {
  // Asked of the socket, before anything it says is read: another user gets no answer at all.
  if (posix::peer_credentials(socket.get()).uid != geteuid()) return;
  posix::enable_credentials(socket.get());
  auto client = std::make_unique<Client>();
  client->id = ++last_client_;
  client->socket = std::move(socket);
  client->role = std::move(role);
  client->may_greet_late = may_greet_late;
  client->last_sign = steady_clock::now();
  epoll_.add(client->socket.get(), key_of(Source::socket, client->id), EPOLLIN);
  clients_.emplace(client->id, std::move(client));
}

void Server::read_client(Client& client) {
  Message request;
  const auto buffer = std::as_writable_bytes(std::span(&request, 1));
  posix::Received received = posix::receive_message(client.socket.get(), buffer);
  if (received.result == posix::IoResult::would_block) return;
  if (received.result == posix::IoResult::closed || received.nbytes != buffer.size() ||
      received.truncated || request.magic != protocol::kMagic) {
    disconnect(client.id, false);
    return;
  }
  // A client that asks before it has read its answer could fill the host with descriptors.
  if (client.pending || posix::unread_bytes(client.socket.get()) > 0) {
    disconnect(client.id, false);
    return;
  }
  try {
    handle(client, request, received);
  } catch (const Error& error) {
    fail(client, request, error);
  }
}

void Server::handle(Client& client, const Message& request, posix::Received& received) {
  using protocol::Operation;
  if (request.major != protocol::kMajor) {
    throw Error(Errc::version_mismatch,
                "the host of '" + options_.name + "' speaks protocol " +
                    std::to_string(protocol::kMajor) + "." + std::to_string(protocol::kMinor) +
                    ", this process " + std::to_string(request.major) + "." +
                    std::to_string(request.minor) + "; install the same release on both sides");
  }
  if (request.operation == Operation::info) return on_info(client, request);
  if (client.state == Client::State::greeting) {
    if (request.operation != Operation::hello) return disconnect(client.id, false);
    return on_hello(client, request, received);
  }
  switch (request.operation) {
    case Operation::leave: {
      const std::uint64_t id = client.id;
      Message message;
      message.serial = request.serial;
      answer(client, message);
      return disconnect(id, true);
    }
    case Operation::create:
      return on_create(client, request);
    case Operation::declare:
      return on_declare(client, request);
    case Operation::produce:
      return on_produce(client, request);
    case Operation::produced:
      return on_produced(client, request);
    case Operation::open_segment:
      return on_open_segment(client, request);
    case Operation::describe:
      return on_describe(client, request);
    case Operation::publish:
      return on_publish(client, request);
    case Operation::free:
      return on_free(client, request);
    case Operation::drop:
      return on_drop(client, request);
    case Operation::freeze:
      return on_freeze(client, request);
    case Operation::subscribe:
      return on_subscribe(client, request);
    case Operation::unsubscribe:
      return on_unsubscribe(client, request);
    case Operation::unreserve:
      return on_unreserve(client, request);
    case Operation::add_segment:
      return on_add_segment(client, request, received);
    case Operation::unmapped:
      return on_unmapped(client, request);
    default:
      return disconnect(client.id, false);
  }
}

void Server::answer(Client& client, Message& message, std::initializer_list<int> fds) {
  const auto sent = posix::send_message(client.socket.get(), std::as_bytes(std::span(&message, 1)),
                                        std::span(fds.begin(), fds.size()));
  // One answer per request, each read before the next request: a full socket is a hostile one.
  if (sent != posix::IoResult::ok) disconnect(client.id, false);
}

void Server::fail(Client& client, const Message& request, const Error& error) {
  Message message;
  message.serial = request.serial;
  message.operation = request.operation;
  message.status = static_cast<std::int32_t>(error.code());
  message.os_error = error.os_error();
  message.nbytes = error.requested();
  message.available = error.available();
  message.set_text(error.what());
  answer(client, message);
}

void Server::disconnect(std::uint64_t client_id, bool clean) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end()) return;
  Client& client = *found->second;
  if (client.socket) epoll_.remove(client.socket.get());
  client.socket.reset();
  client.notices.reset();
  client.unsent_notices.clear();
  client.is_lost = false;
  abandon_pending(client);
  abandon_offer(client);
  if (client.state == Client::State::greeting) {
    clients_.erase(found);
    return;
  }
  if (clean) {
    epoll_.remove(client.pidfd.get());
    client.has_left = true;
    client.state = Client::State::quarantined;
    dead_.push_back(client_id);
    return bury(client_id);
  }
  // Its locks, bits and number stay until the process is dead: it may still write.
  client.state = Client::State::quarantined;
  directory_.slot(client.slot).state.store(2);
}

void Server::tick() {
  const auto now = steady_clock::now();
  std::vector<std::uint64_t> lost;
  for (auto& [id, client] : clients_) {
    try {
      tick_client(*client, now);
    } catch (const Error&) {
      client->is_lost = true;
    }
    if (client->is_lost) lost.push_back(id);
  }
  for (const std::uint64_t id : lost) disconnect(id, false);
  for (const std::uint64_t id : std::vector(dead_)) bury(id);
  for (; !paused_.empty(); paused_.pop_back()) {
    const std::size_t listener = paused_.back();
    epoll_.add(listeners_[listener].get(), key_of(Source::listener, listener), EPOLLIN);
  }
  sweep();
}

void Server::tick_client(Client& client, steady_clock::time_point now) {
  if (client.state == Client::State::greeting && !client.may_greet_late &&
      now - client.last_sign > kGreetingTime) {
    client.is_lost = true;
    return;
  }
  if (client.pending && now - client.last_sign > kProgressEvery) {
    Message message;
    message.operation = protocol::Operation::progress;
    message.serial = client.pending->request.serial;
    client.last_sign = now;
    // A client that does not read is none that waits: its answer will find the socket full.
    (void)posix::send_message(client.socket.get(), std::as_bytes(std::span(&message, 1)));
  }
  while (!client.unsent_notices.empty() && client.notices) {
    if (!send_notice(client, client.unsent_notices.front())) break;
    client.unsent_notices.pop_front();
  }
}

Client* Server::client_of_slot(std::uint32_t slot) noexcept {
  for (auto& [id, client] : clients_) {
    if (client->slot == slot && client->state != Client::State::greeting) return client.get();
  }
  return nullptr;
}

bool Server::send_notice(Client& client, const Notice& notice) {
  Message message;
  message.operation = notice.operation;
  message.index = notice.index;
  message.generation = notice.generation;
  message.location.segment = notice.segment;
  return posix::send_message(client.notices.get(), std::as_bytes(std::span(&message, 1))) ==
         posix::IoResult::ok;
}

void Server::notify(Client& client, const Notice& notice) noexcept {
  if (!client.notices || client.is_lost) return;
  try {
    if (client.unsent_notices.empty() && send_notice(client, notice)) return;
    if (client.unsent_notices.size() < kMaxNotices) {
      client.unsent_notices.push_back(notice);
      return;
    }
  } catch (const std::exception&) {
    // Repair must not end here: whoever cannot be told is disconnected.
  }
  client.is_lost = true;
}

}  // namespace clara_fastio::host
