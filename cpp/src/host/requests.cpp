// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "clara_fastio/error.hpp"
#include "clara_fastio/names.hpp"
#include "host/server.hpp"
#include "kill_points.hpp"
#include "posix/clock.hpp"
#include "posix/pidfd.hpp"
#include "posix/socket.hpp"

namespace clara_fastio::host {
namespace {

using layout::EntryKind;
using layout::EntryState;

/// Bytes for the data, wherever it lies.
std::uint64_t capacity_of(const layout::EntryRecord& record) {
  const bool is_on_device = record.device.location.segment != 0;
  return is_on_device ? record.device.location.capacity : record.location.capacity;
}

protocol::Message answer_to(const protocol::Message& request) {
  protocol::Message message;
  message.serial = request.serial;
  message.operation = request.operation;
  return message;
}

/// What a declaration says for good.
constexpr std::uint32_t kDeclaredFlags =
    layout::kFrozenOnCommit | layout::kPinned | layout::kMayStage;

std::string quoted(const layout::EntryRecord& record) {
  return "'" + std::string(record.name, record.name_nbytes) + "'";
}

/// Throws: `Errc::invalid_argument` for a queue that no client of this library asks for.
void require_queue(const layout::QueueRecord& queue, ElementType type, const Shape& shape) {
  if (queue.slots == 0) return;
  if (queue.slots > layout::kMaxRingSlots || queue.slot_nbytes > (1ull << 46) / queue.slots ||
      queue.policy < layout::Policy::block || queue.policy > layout::Policy::sample ||
      queue.spin_ns > layout::kMostSpinNs ||
      (!shape.is_dynamic() && queue.slot_nbytes < shape.nbytes(type))) {
    throw Error(Errc::invalid_argument, "the queue of the variable is none that can be");
  }
}

}  // namespace

void Server::on_info(Client& client, const Message& request) {
  Message message = answer_to(request);
  message.set_text(options_.name);
  answer(client, message);
}

void Server::on_hello(Client& client, const Message& request, posix::Received& received) {
  if (request.text_view() != options_.name && !request.text_view().empty()) {
    throw Error(Errc::not_found, "this socket belongs to the context '" + options_.name +
                                     "', not to '" + std::string(request.text_view()) + "'");
  }
  if (received.fds.size() != 1 || !received.credentials ||
      posix::pid_of_pidfd(received.fds[0].get()) != received.credentials->pid) {
    throw Error(Errc::invalid_argument, "a greeting carries a pidfd of the process that sends it");
  }
  std::uint32_t slot = 0;
  while (slot < layout::kMaxProcesses && directory_.slot(slot).state.load() != 0) ++slot;
  if (slot == layout::kMaxProcesses) {
    throw Error(Errc::out_of_memory,
                "the context '" + options_.name + "' has " + std::to_string(layout::kMaxProcesses) +
                    " processes already, which is the most",
                1, 0);
  }
  auto [mine, theirs] = posix::seqpacket_pair();
  // First what may fail: from here on the slot is the client's until its process is dead.
  client.pidfd = std::move(received.fds[0]);
  epoll_.add(client.pidfd.get(), 4ull << 56 | client.id, 1 /* EPOLLIN */);
  client.notices = std::move(mine);
  client.pid = received.credentials->pid;
  client.slot = slot;
  layout::SlotRecord& record = directory_.slot(slot);
  client.generation = ++record.generation;
  record.pid = client.pid;
  record.since = posix::clock_ns(CLOCK_MONOTONIC);
  std::memset(record.role, 0, sizeof(record.role));
  std::memcpy(record.role, client.role.data(),
              std::min(client.role.size(), sizeof(record.role) - 1));
  record.state.store(1);
  client.state = Client::State::active;
  CLARA_FASTIO_KILL_POINT("host.hello.slot_taken");

  Message message = answer_to(request);
  message.slot = slot;
  message.generation = client.generation;
  message.set_text(options_.name);
  message.nbytes = options_.pool_limit;
  message.available = layout::hash_of(client.role.data(), client.role.size());
  if (client.role.empty()) message.available = 0;
  answer(client, message,
         {directory_.tables_fd(), directory_.locks_fd(), host_pidfd_.get(), theirs.get()});
}

const layout::EntryRecord& Server::checked(const Message& request) {
  if (request.index >= directory_.high_water()) {
    throw Error(Errc::not_found, "there is no entry " + std::to_string(request.index));
  }
  const layout::EntryRecord& record = directory_.record(request.index);
  if (record.generation != request.generation || record.state == EntryState::free) {
    throw Error(Errc::freed, "the entry was freed");
  }
  return record;
}

/// Throws: `Errc::invalid_argument` for what no client of this library asks for.
void Server::require_device(const Message& request) {
  if (request.device.memory == layout::Memory::host) return;
  if (request.device.memory != layout::Memory::device ||
      (request.flags & layout::kFrozenOnCommit) != 0) {
    throw Error(Errc::invalid_argument, "the device memory of the variable is none that can be");
  }
}

void Server::on_declare(Client& client, const Message& request) {
  const std::string_view name = request.text_view();
  check_name(name, "variable");
  const Shape shape = request.shape();
  if (itemsize(request.element_type) == 0) {
    throw Error(Errc::element_type,
                "number " + std::to_string(static_cast<std::uint32_t>(request.element_type)) +
                    " is no element type");
  }
  if (!shape.is_dynamic()) (void)shape.nbytes(request.element_type);
  Message message = answer_to(request);
  if (const auto existing = directory_.find(name)) {
    message.index = *existing;
    message.generation = directory_.record(*existing).generation;
    message.flags = 0;
    return answer(client, message);
  }
  require_queue(request.queue, request.element_type, shape);
  require_device(request);
  const std::uint32_t index = take_record();
  CLARA_FASTIO_KILL_POINT("host.declare.taken");
  const bool bound = request.nbytes != 0;
  directory_.write(index, [&](layout::EntryRecord& record) {
    record.kind = EntryKind::variable;
    record.element_type = request.element_type;
    record.generation = directory_.next_generation();
    record.order = request.order == layout::Order::column_major ? layout::Order::column_major
                                                                : layout::Order::row_major;
    record.flags =
        (request.flags & kDeclaredFlags) | (bound ? std::uint32_t{layout::kBoundToRole} : 0u);
    record.producer = layout::kNone;
    record.role_hash = request.nbytes;
    record.location = {};
    record.ndim = shape.ndim;
    std::copy(shape.dimensions.begin(), shape.dimensions.begin() + shape.ndim, record.dimensions);
  });
  try {
    if (request.queue.slots != 0) make_stream(index, request.queue);
    if (request.device.memory == layout::Memory::device) {
      make_device_words(index, request.device);
    }
  } catch (const Error&) {
    drop_stream(index);
    directory_.give_back(index);
    throw;
  }
  directory_.link(index, name);
  CLARA_FASTIO_KILL_POINT("host.declare.linked");
  message.index = index;
  message.generation = directory_.record(index).generation;
  message.flags = 1;
  answer(client, message);
}

void Server::on_describe(Client& client, const Message& request) {
  const layout::EntryRecord& record = checked(request);
  if (record.kind != EntryKind::allocation) {
    throw Error(Errc::invalid_argument, "only an allocation can be described");
  }
  const Shape shape = request.shape();
  if (shape.is_dynamic() || itemsize(request.element_type) == 0 ||
      shape.nbytes(request.element_type) > capacity_of(record)) {
    throw Error(Errc::shape, "the description does not fit the memory of the allocation");
  }
  directory_.write(request.index, [&](layout::EntryRecord& target) {
    target.element_type = request.element_type;
    target.ndim = shape.ndim;
    std::copy(shape.dimensions.begin(), shape.dimensions.begin() + shape.ndim, target.dimensions);
  });
  Message message = answer_to(request);
  answer(client, message);
}

void Server::on_publish(Client& client, const Message& request) {
  const layout::EntryRecord& record = checked(request);
  const std::string_view name = request.text_view();
  check_name(name, "allocation");
  if (record.kind != EntryKind::allocation) {
    throw Error(Errc::invalid_argument, "a variable has its name already");
  }
  if (record.state == EntryState::live) {
    throw Error(Errc::already_exists, "the allocation is published as " + quoted(record));
  }
  // A freed allocation may come back from its producer's pool, who looked that nobody refers to it.
  // Nothing is looked at again here: a bit that shows now belongs to a get() which is failing.
  if (record.producer != client.slot) {
    throw Error(Errc::freed, "the allocation was freed");
  }
  if (directory_.find(name)) {
    throw Error(Errc::already_exists, "the name '" + std::string(name) +
                                          "' is taken in the context '" + options_.name +
                                          "'; free what is published there, or choose another");
  }
  const Shape shape = request.shape();
  if (shape.is_dynamic() || itemsize(request.element_type) == 0 ||
      shape.nbytes(request.element_type) > capacity_of(record)) {
    throw Error(Errc::shape, "the description does not fit the memory of the allocation");
  }
  if (record.state == EntryState::doomed) forget_doomed(request.index);
  CLARA_FASTIO_KILL_POINT("host.publish.checked");
  directory_.write(request.index, [&](layout::EntryRecord& target) {
    target.generation = directory_.next_generation();
    target.element_type = request.element_type;
    target.ndim = shape.ndim;
    std::copy(shape.dimensions.begin(), shape.dimensions.begin() + shape.ndim, target.dimensions);
  });
  directory_.link(request.index, name);
  CLARA_FASTIO_KILL_POINT("host.publish.linked");
  Message message = answer_to(request);
  message.index = request.index;
  message.generation = record.generation;
  answer(client, message);
}

void Server::on_free(Client& client, const Message& request) {
  const layout::EntryRecord& record = checked(request);
  if (record.state == EntryState::unpublished && record.producer != client.slot) {
    throw Error(Errc::freed, "the entry was freed");
  }
  Message message = answer_to(request);
  if (record.state == EntryState::live) {
    doom(request.index);
    CLARA_FASTIO_KILL_POINT("host.free.doomed");
    message.flags = 1;  // It was this request that freed it.
    // Hand-made memory goes to its producer's pool. That is said exactly once for each free, here
    // or by the answer, or the pool would hold one piece of memory twice. What variables had is
    // kept by the host itself.
    if (record.kind == EntryKind::allocation && record.producer != client.slot &&
        record.producer != layout::kNone) {
      if (Client* owner = client_of_slot(record.producer); owner != nullptr) {
        notify(*owner, {protocol::Operation::notice_freed, request.index, record.generation, 0});
      }
    }
  }
  answer(client, message);
}

void Server::on_drop(Client& client, const Message& request) {
  const layout::EntryRecord& record = checked(request);
  if (record.producer != client.slot || record.state == EntryState::live) {
    throw Error(Errc::freed, "the entry is not a private one of this process");
  }
  if (!directory_.is_referenced(request.index) && is_device_idle(request.index)) {
    if (record.state == EntryState::doomed) forget_doomed(request.index);
    reclaim(request.index);
  } else {
    if (record.state == EntryState::unpublished) doom(request.index);
    // It is in nobody's pool any more: it goes with its last reference.
    directory_.write(request.index,
                     [](layout::EntryRecord& target) { target.producer = layout::kNone; });
    for (Doomed& one : doomed_) {
      if (one.index == request.index) one.producer = layout::kNone;
    }
  }
  Message message = answer_to(request);
  answer(client, message);
}

}  // namespace clara_fastio::host
