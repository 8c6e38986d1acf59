// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/context.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/names.hpp"
#include "client/block.hpp"
#include "client/state.hpp"
#include "kill_points.hpp"
#include "posix/futex.hpp"
#include "posix/pidfd.hpp"
#include "posix/socket.hpp"

namespace clara_fastio {
namespace {

using layout::EntryKind;
using layout::EntryState;
using protocol::Message;
using protocol::Operation;
using namespace std::chrono_literals;

/// Closing waits for nobody: a host that does not answer finds the hang-up when it wakes.
constexpr std::chrono::milliseconds kLeaveTime{1000};

/// How long closing waits for work that devices were given before.
constexpr std::chrono::seconds kDeviceTime{10};

/// Pauses in which other processes may give memory back before a request is refused.
constexpr std::chrono::milliseconds kTimeToGiveBack[] = {0ms, 1ms, 5ms, 20ms};

/// A reference that lasts as long as a look at an entry.
class Reference {
 public:
  Reference(Context::State& state, std::uint32_t index) : state_(state), index_(index) {
    state_.refer(index_);
  }
  ~Reference() { state_.forget(index_); }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

 private:
  Context::State& state_;
  const std::uint32_t index_;
};

/// The contexts of this process, so that opening one twice cannot make it wait for itself.
struct Registry {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Context>> contexts;

  static Registry& get() {
    static auto* only = new Registry;  // Never destroyed: threads may outlive static objects.
    return *only;
  }
  std::shared_ptr<Context> find(const std::string& name) {
    const std::lock_guard lock(mutex);
    const auto found = contexts.find(name);
    auto context = found == contexts.end() ? nullptr : found->second.lock();
    return context && context->is_usable() ? context : nullptr;
  }
  void add(const std::shared_ptr<Context>& context) {
    const std::lock_guard lock(mutex);
    contexts[context->name()] = context;
  }
};

/// Throws: `Errc::invalid_argument`, `Errc::shape`.
layout::QueueRecord queue_record(const Declaration& declaration) {
  const QueueOptions& queue = declaration.queue;
  const std::string name = "'" + declaration.name + "'";
  if (queue.depth > layout::kMaxRingSlots) {
    throw Error(Errc::invalid_argument, "the queue of " + name + " has depth " +
                                            std::to_string(queue.depth) + "; at most " +
                                            std::to_string(layout::kMaxRingSlots) + " is possible");
  }
  if (declaration.is_sealed) {
    throw Error(
        Errc::invalid_argument,
        name + " cannot be sealed for good and carry a stream: its slots are written again");
  }
  layout::QueueRecord record;
  record.slots = queue.depth;
  record.policy = queue.policy;
  record.parameter = queue.parameter;
  record.spin_ns = queue.spin_ns;
  record.slot_nbytes = queue.slot_nbytes;
  if (record.slot_nbytes == 0) {
    if (declaration.shape.is_dynamic()) {
      throw Error(Errc::shape, "the frames of " + name + " have the shape " +
                                   declaration.shape.text() +
                                   "; say how large they get with the queue's max_shape");
    }
    record.slot_nbytes = declaration.shape.nbytes(declaration.element_type);
  }
  if (!declaration.shape.is_dynamic() &&
      record.slot_nbytes < declaration.shape.nbytes(declaration.element_type)) {
    throw Error(Errc::shape, "a slot of " + std::to_string(record.slot_nbytes) +
                                 " bytes is too small for the frames of " + name +
                                 ", which have the shape " + declaration.shape.text());
  }
  if (record.spin_ns > layout::kMostSpinNs) {
    throw Error(Errc::invalid_argument, "the queue of " + name + " spins for " +
                                            std::to_string(record.spin_ns) +
                                            " ns; at most a second is possible");
  }
  if (record.slot_nbytes > (1ull << 46) / queue.depth) {
    throw Error(Errc::out_of_memory,
                std::to_string(queue.depth) + " slots of " + std::to_string(record.slot_nbytes) +
                    " bytes for " + name + "; a process can address 128 TiB",
                record.slot_nbytes, 1ull << 46);
  }
  return record;
}

/// Throws: `Errc::invalid_argument`.
layout::DeviceRecord device_record(const Declaration& declaration) {
  const std::string name = "'" + declaration.name + "'";
  if (declaration.is_sealed) {
    throw Error(Errc::invalid_argument,
                name + " cannot be sealed and lie on a device: the kernel has no seal there");
  }
  if (declaration.is_pinned) {
    throw Error(Errc::invalid_argument,
                name + " lies on a device; pinned is for memory of the host");
  }
  layout::DeviceRecord record;
  record.memory = layout::Memory::device;
  record.device = declaration.device;
  record.words = std::max(declaration.queue.depth, 1u);
  return record;
}

}  // namespace

Context::Context(std::unique_ptr<State> state) : state_(std::move(state)) {}

Context::~Context() {
  if (is_foreign()) {
    // Threads, sockets and locks are the parent's; the child only forgets them.
    (void)state_.release();
    return;
  }
  state_->is_closed.store(true);
  finish();
}

std::shared_ptr<Context> Context::attach(int fd, const std::string& name,
                                         std::unique_ptr<Host> host) {
  posix::UniqueFd socket(fd);
  if (posix::peer_credentials(fd).uid != geteuid()) {
    throw Error(Errc::not_found, "the context '" + name + "' is hosted by another user");
  }
  // Asked for on this side, since the greeting may be sent before the host has accepted.
  posix::enable_credentials(fd);
  auto connection = std::make_unique<client::Connection>(std::move(socket));
  const posix::UniqueFd own_pidfd = posix::open_pidfd(getpid());
  Message hello;
  hello.operation = Operation::hello;
  hello.set_text(name);
  client::Answer answer = connection->request(hello, own_pidfd.get());
  if (answer.fds.size() != 4 || answer.message.slot >= layout::kMaxProcesses) {
    throw Error(Errc::layout, "the host greeted without its tables");
  }
  auto tables =
      std::make_unique<client::Tables>(std::move(answer.fds[0]), std::move(answer.fds[1]));
  auto state =
      std::make_unique<State>(std::string(answer.message.text_view()), connection.release(),
                              std::move(tables), answer.message.nbytes);
  state->tables->watch(state->connection->death());
  state->is_host = host != nullptr;
  state->host = std::move(host);
  state->slot = answer.message.slot;
  state->slot_generation = answer.message.generation;
  state->role_hash = answer.message.available;
  state->watcher = std::make_unique<client::Watcher>(
      client::Watcher::Parts{*state->connection, state->segments, state->pool, *state->tables,
                             state->devices,
                             [parts = state.get()](const auto& gone) { parts->let_go(gone); }},
      std::move(answer.fds[3]), std::move(answer.fds[2]));
  auto context = std::make_shared<Context>(std::move(state));
  Registry::get().add(context);
  return context;
}

std::shared_ptr<Context> Context::host(const HostOptions& options) {
  auto host = std::make_unique<Host>(options);
  const int fd = host->connect("");
  return attach(fd, options.name, std::move(host));
}

std::shared_ptr<Context> Context::open(const std::string& name) {
  if (auto open_here = Registry::get().find(name)) return open_here;
  return attach(Host::find(name), name, nullptr);
}

std::shared_ptr<Context> Context::open_socket(int fd) { return attach(fd, "", nullptr); }

const std::string& Context::name() const noexcept { return state_->name; }
std::uint32_t Context::slot() const noexcept { return state_->slot; }
bool Context::is_host() const noexcept { return state_->is_host; }
bool Context::is_closed() const noexcept { return state_->is_closed.load(); }

std::string Context::role() const {
  check_process();
  const char* text = state_->tables->header().slots[state_->slot].role;
  return {text, strnlen(text, sizeof(layout::SlotRecord::role))};
}

bool Context::is_foreign() const noexcept {
  return state_ == nullptr || state_->fork_generation != posix::fork_generation();
}

bool Context::is_usable() const noexcept {
  return !is_foreign() && !is_closed() && !state_->connection->is_dead();
}

void Context::check_process() const {
  if (!is_foreign()) return;
  throw Error(Errc::forked, "the context '" + state_->name +
                                "' belongs to the parent process; open it again in the child");
}

void Context::check() const {
  check_process();
  if (state_->is_closed.load(std::memory_order_relaxed)) {
    throw Error(Errc::closed, "the context '" + state_->name + "' was closed in this process");
  }
  if (state_->connection->is_dead()) state_->connection->throw_dead();
}

void Context::close() {
  if (is_foreign() || state_->is_closed.exchange(true)) return;
  // What arrays still hold keeps the slot: then the last of them leaves.
  if (!state_->has_references() || is_host()) finish();
}

void Context::finish() noexcept {
  if (state_->is_finished.exchange(true)) return;
  // A slot whose words a device may still write is not given to others: only the death of this
  // process gives it back then.
  const bool is_idle = wait_for_devices();
  if (is_idle && state_->leave() && !state_->connection->is_dead()) {
    CLARA_FASTIO_KILL_POINT("context.leave");
    try {
      Message leave;
      leave.operation = Operation::leave;
      state_->connection->request(leave, -1, kLeaveTime);
    } catch (const Error&) {
      // The host is gone, or is stopped and will see the hang-up.
    }
  }
  state_->watcher->stop();
  state_->connection->mark_dead();
  state_->connection->close();
  state_->unmap();
  const std::lock_guard lock(state_->host_mutex);
  state_->host.reset();
}

/// Whether the devices have done all that this process gave them for the context, after a while.
bool Context::wait_for_devices() noexcept {
  const auto end = std::chrono::steady_clock::now() + kDeviceTime;
  while (!state_->devices.is_idle()) {
    if (std::chrono::steady_clock::now() > end || state_->connection->is_dead()) return false;
    std::this_thread::sleep_for(200us);
  }
  return true;
}

int Context::connect(const std::string& role) {
  check();
  check_name(role, "role");
  if (!is_host()) throw Error(Errc::read_only, "only the host of a context hands out connections");
  const std::lock_guard lock(state_->host_mutex);
  if (!state_->host) throw Error(Errc::closed, "the context was closed in this process");
  return state_->host->connect(role);
}

void Context::adopt(int fd, const std::string& role) {
  check();
  check_name(role, "role");
  if (!is_host()) throw Error(Errc::read_only, "only the host of a context serves connections");
  const std::lock_guard lock(state_->host_mutex);
  if (!state_->host) throw Error(Errc::closed, "the context was closed in this process");
  state_->host->adopt(fd, role);
}

std::shared_ptr<Entry> Context::declare(const Declaration& declaration, bool& is_new) {
  check();
  check_name(declaration.name, "variable");
  Message message;
  message.operation = Operation::declare;
  message.set_text(declaration.name);
  message.element_type = declaration.element_type;
  message.order = declaration.order;
  message.set_shape(declaration.shape);
  if (declaration.is_sealed) message.flags |= layout::kFrozenOnCommit;
  if (declaration.is_pinned) message.flags |= layout::kPinned;
  if (declaration.may_stage) message.flags |= layout::kMayStage;
  if (declaration.memory == layout::Memory::device) message.device = device_record(declaration);
  if (declaration.queue.depth != 0) message.queue = queue_record(declaration);
  const std::string& role = declaration.producer_role;
  if (!role.empty()) message.nbytes = layout::hash_of(role.data(), role.size());
  const Message answer = state_->connection->request(message).message;
  is_new = answer.flags != 0;
  auto entry = find(declaration.name);
  if (!entry) throw Error(Errc::freed, "the variable '" + declaration.name + "' was freed");
  return entry;
}

client::Answer Context::request_memory(const protocol::Message& message) {
  // What processes keep warm is the one memory that the host cannot take back by itself: this one
  // gives its own, and the others, whom the host tells, need a moment.
  for (const std::chrono::milliseconds pause : kTimeToGiveBack) {
    try {
      return state_->connection->request(message);
    } catch (const Error& error) {
      if (error.code() != Errc::out_of_memory) throw;
    }
    give_pool_back();
    std::this_thread::sleep_for(pause);
  }
  return state_->connection->request(message);
}

void Context::give_pool_back() {
  const auto items = state_->pool.drain();
  for (const auto& item : items) {
    Message message;
    message.operation = Operation::drop;
    message.index = item.index;
    message.generation = item.generation;
    state_->connection->request(message);
  }
}

std::shared_ptr<Entry> Context::create(std::uint64_t nbytes, bool zero) {
  check();
  if (auto item = state_->pool.take(nbytes, *state_->tables)) {
    layout::Head& head = *item->block->head;
    head.version.store(0);
    head.attributes_nbytes = 0;
    if (zero) std::memset(item->block->data, 0, nbytes);
    return std::make_shared<Entry>(shared_from_this(), item->index, item->generation,
                                   std::move(item->block), nbytes);
  }
  Message message;
  message.operation = Operation::create;
  message.nbytes = nbytes;
  std::unique_lock memory_lock(state_->memory_mutex);
  const client::Answer answer = request_memory(message);
  auto block = map_created(answer);
  memory_lock.unlock();
  // A block of an arena may have been somebody's before.
  if (zero) std::memset(block->data, 0, nbytes);
  return std::make_shared<Entry>(shared_from_this(), answer.message.index,
                                 answer.message.generation, std::move(block), nbytes);
}

/// Maps the head, and on the host the data, of an allocation that was answered for.
std::shared_ptr<Block> Context::map_created(const client::Answer& answer) {
  CLARA_FASTIO_KILL_POINT("create.answered");
  const layout::Location& location = answer.message.location;
  client::require_inside(location);
  if (answer.message.index >= state_->tables->high_water()) {
    throw Error(Errc::layout, "the host answered with an entry that does not exist");
  }
  auto segment = state_->segments.find(location.segment, posix::Access::read_write);
  if (!segment) {
    if (answer.fds.empty()) throw Error(Errc::layout, "the host sent no descriptor");
    segment = state_->segments.add(
        location.segment, posix::Access::read_write,
        posix::Map::of(answer.fds[0].get(), 0, location.segment_nbytes, posix::Access::read_write,
                       false, /*inherit_on_fork=*/false));
  }
  auto block = client::block_in(std::move(segment), location);
  block->head->version.store(0);
  block->head->attributes_nbytes = 0;
  return block;
}

std::shared_ptr<Entry> Context::find(const std::string& name) {
  check();
  check_name(name, "entry");
  for (;;) {
    const auto index = state_->tables->find(name);
    if (!index) return nullptr;
    const std::lock_guard lock(state_->entries_mutex);
    std::weak_ptr<Entry>& known = state_->entries[*index];
    // The reference comes before the second look: either the free is seen here, or the bit there.
    const Reference reference(*state_, *index);
    CLARA_FASTIO_KILL_POINT("get.reference_set");
    const client::Record record = state_->tables->read(*index);
    std::shared_ptr<Entry> entry;
    if (record.state == EntryState::live && record.name == name) {
      entry = known.lock();
      if (!entry || entry->generation() != record.generation) {
        // Not in one piece with its counter: the weak pointers that stay are many.
        entry = std::shared_ptr<Entry>(new Entry(shared_from_this(), *index, record));
        known = entry;
      }
    }
    if (entry) return entry;
  }
}

void Context::allocate_outputs() {
  if (state_->role_hash == 0) return;
  for (std::uint32_t index = 0; index < state_->tables->high_water(); ++index) {
    const client::Record record = state_->tables->read(index);
    if (record.kind != EntryKind::variable || record.state != EntryState::live) continue;
    if (record.role_hash != state_->role_hash) continue;
    if (record.shape.is_dynamic() && record.queue.slots == 0) continue;
    if (auto entry = find(record.name)) entry->allocate();
  }
}

std::uint32_t Context::names_event() const {
  check();
  return state_->tables->header().names.load();
}

void Context::wait_for_names(std::uint32_t seen, std::chrono::nanoseconds slice) const {
  check();
  // The kernel only reads the word; the map is read-only.
  auto& word = const_cast<std::atomic<std::uint32_t>&>(state_->tables->header().names);
  posix::futex_wait(word, seen, slice);
}

std::uint32_t Context::size() const {
  check();
  return state_->tables->header().live.load();
}

}  // namespace clara_fastio
