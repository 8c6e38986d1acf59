// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "clara_fastio/error.hpp"
#include "host/server.hpp"
#include "kill_points.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::host {
namespace {

using layout::EntryKind;
using layout::EntryState;
using layout::Location;

constexpr std::uint64_t kMaxCapacity = 1ull << 47;  // What a process can address.

protocol::Message answer_to(const protocol::Message& request) {
  protocol::Message message;
  message.serial = request.serial;
  message.operation = request.operation;
  return message;
}

}  // namespace

void Server::on_create(Client& client, const Message& request) {
  if (request.nbytes == 0 && request.device.location.capacity == 0) {
    throw Error(Errc::invalid_argument, "an allocation has at least one byte");
  }
  request_parts(client, request, EntryKind::allocation, false);
}

/// Device memory first, if any is wanted, for it is there or not; then the host's.
void Server::request_parts(Client& client, Message request, EntryKind kind, bool own_segment) {
  const bool is_shared_memory = request.device.transport == layout::Transport::vmm ||
                                request.device.transport == layout::Transport::legacy;
  request.device.location.segment = 0;
  if ((request.flags & protocol::kIsScarce) != 0) sweep(/*keep_warm=*/false);
  if (request.device.memory == layout::Memory::device && is_shared_memory) {
    const auto block = take_device_block(client.slot, request, kind);
    if (!block) return ask_for_segment(client, request);
    request.device.location = *block;
  }
  try {
    request_memory(client, request, kind, request.nbytes, own_segment);
  } catch (const Error&) {
    release_device(request.device.location);
    throw;
  }
}

void Server::on_produce(Client& client, const Message& request) {
  const layout::EntryRecord& record = checked(request);
  require_producer(client, record);
  abandon_offer(client);  // One that was never answered by `produced` would be lost.
  const bool own_segment = (record.flags & layout::kFrozenOnCommit) != 0;
  if (!own_segment) {
    if (const auto warm = take_warm(client.slot, request)) {
      Message with_device = request;
      with_device.device.location = warm->device.location;
      return offer_memory(client, with_device, warm->location);
    }
  }
  request_parts(client, request, EntryKind::variable, own_segment);
}

/// Throws unless the client may write the variable now.
void Server::require_producer(const Client& client, const layout::EntryRecord& record) {
  const std::string name(record.name, record.name_nbytes);
  if (record.kind != EntryKind::variable || record.state != EntryState::live) {
    throw Error(Errc::freed, "the variable '" + name + "' was freed");
  }
  if ((record.flags & layout::kBoundToRole) != 0 &&
      record.role_hash != layout::hash_of(client.role.data(), client.role.size())) {
    throw Error(Errc::read_only, "the variable '" + name +
                                     "' is an output of another operator; this process may read "
                                     "it only");
  }
  if ((record.flags & layout::kFrozen) != 0) {
    throw Error(Errc::read_only, "the variable '" + name + "' is sealed for good");
  }
  if (const auto stream = streams_.find(directory_.index_of(record));
      stream != streams_.end() && !stream->second.is_open()) {
    throw Error(Errc::closed, "the stream of '" + name +
                                  "' has ended; free the variable and declare it anew to start "
                                  "another");
  }
  if (record.producer != layout::kNone && record.producer != client.slot) {
    const Client* other = client_of_slot(record.producer);
    throw Error(Errc::read_only, "the variable '" + name + "' is produced by process " +
                                     std::to_string(other == nullptr ? 0 : other->pid) +
                                     ", which is alive");
  }
}

void Server::request_memory(Client& client, const Message& request, EntryKind kind,
                            std::uint64_t capacity, bool own_segment) {
  if (capacity > kMaxCapacity) {
    throw Error(Errc::out_of_memory,
                std::to_string(capacity) + " bytes requested; a process can address 128 TiB",
                capacity, kMaxCapacity);
  }
  const BlockSize size = BlockSize::of(
      capacity, std::min(request.attributes_capacity, layout::kMaxAttributeBytes), own_segment);
  if (size.shares_arena) {
    if (const auto block = segments_.take_block({client.slot, kind}, size)) {
      return offer_memory(client, request, *block);
    }
  }
  const std::uint64_t nbytes = size.shares_arena ? layout::kArenaBytes : size.nbytes;
  std::uint64_t in_use = segments_.reserved_bytes() + reserving_;
  // Rather cold than refused; but nobody gives up warm memory for what can never be had.
  if (nbytes <= options_.memory_limit && in_use + nbytes > options_.memory_limit) {
    make_room(client);
    in_use = segments_.reserved_bytes() + reserving_;
  }
  if (options_.memory_limit != 0 && in_use + nbytes > options_.memory_limit) {
    const std::uint64_t left = options_.memory_limit > in_use ? options_.memory_limit - in_use : 0;
    throw Error(Errc::out_of_memory,
                std::to_string(capacity) + " bytes requested, " + std::to_string(left) +
                    " left under the memory limit of the context '" + options_.name + "' (" +
                    std::to_string(options_.memory_limit) + " bytes); free something or raise it",
                capacity, left);
  }
  client.pending = Pending{++last_ticket_, request, nbytes};
  client.last_sign = std::chrono::steady_clock::now();
  tickets_.emplace(last_ticket_, Ticket{client.id, nbytes});
  reserving_ += nbytes;
  workers_.reserve(last_ticket_, nbytes);
}

void Server::finish_reservations() {
  for (Reservation& done : workers_.finished()) {
    const Ticket ticket = tickets_.at(done.ticket);
    tickets_.erase(done.ticket);
    reserving_ -= ticket.nbytes;
    const auto found = clients_.find(ticket.client);
    Client* client = found == clients_.end() ? nullptr : found->second.get();
    if (client == nullptr || !client->pending) {  // The asker is gone.
      if (done.fd) workers_.close(std::move(done.fd));
      continue;
    }
    const Pending pending = *client->pending;
    // None of them may keep the others from their answer.
    try {
      try {
        finish_reservation(*client, done);
      } catch (const Error& error) {
        if (done.fd) workers_.close(std::move(done.fd));
        release_device(pending.request.device.location);
        if (error.code() == Errc::out_of_memory &&
            error.requested() - error.available() <= segments_.reserved_bytes()) {
          make_room(*client);
        }
        fail(*client, pending.request, error);
      }
    } catch (const std::exception&) {
      client->is_lost = true;
    }
  }
}

void Server::finish_reservation(Client& client, Reservation& done) {
  const Pending pending = *client.pending;
  client.pending.reset();
  if (done.failure) std::rethrow_exception(done.failure);
  CLARA_FASTIO_KILL_POINT("host.memory.reserved");
  const auto kind = pending.request.operation == protocol::Operation::create ? EntryKind::allocation
                                                                             : EntryKind::variable;
  bool own_segment = false;
  if (kind == EntryKind::variable) {
    own_segment = (checked(pending.request).flags & layout::kFrozenOnCommit) != 0;
  }
  const BlockSize size = BlockSize::of(
      pending.request.nbytes,
      std::min(pending.request.attributes_capacity, layout::kMaxAttributeBytes), own_segment);
  Segment& segment = segments_.add(std::move(done.fd), pending.nbytes, Owner{client.slot, kind},
                                   size.shares_arena);
  const Location location = size.shares_arena ? *segments_.take_block({client.slot, kind}, size)
                                              : segments_.whole(segment, size);
  offer_memory(client, pending.request, location);
}

void Server::offer_memory(Client& client, const Message& request, const Location& location) {
  Message message = answer_to(request);
  message.location = location;
  message.device = request.device;
  if (request.operation == protocol::Operation::create) {
    std::uint32_t index = layout::kNone;
    try {
      index = take_record();
      if (request.device.memory == layout::Memory::device) make_device_words(index, request.device);
    } catch (const Error&) {
      if (index != layout::kNone) directory_.give_back(index);
      release_block(location);
      throw;
    }
    const std::uint64_t nbytes = std::max(request.nbytes, request.device.location.capacity);
    directory_.write(index, [&](layout::EntryRecord& record) {
      record.state = EntryState::unpublished;
      record.kind = EntryKind::allocation;
      record.element_type = ElementType::uint8;
      record.generation = directory_.next_generation();
      record.order = layout::Order::row_major;
      record.flags = 0;
      record.producer = client.slot;
      record.role_hash = 0;
      record.location = location;
      record.ndim = 1;
      record.dimensions[0] = static_cast<std::int64_t>(nbytes);
      record.name_nbytes = 0;
      record.device.transport = request.device.transport;
      record.device.location = request.device.location;
    });
    message.device = directory_.record(index).device;
    message.index = index;
    message.generation = directory_.record(index).generation;
  } else {
    client.offer = Offer{request.index, request.generation, location, request.device};
    message.index = request.index;
    message.generation = request.generation;
  }
  Segment& segment = *segments_.find(location.segment);
  if (segment.mappers.test(client.slot) && (request.flags & protocol::kSendDescriptor) == 0) {
    return answer(client, message);
  }
  segment.mappers.set(client.slot);
  message.flags = 1;  // A descriptor comes with it.
  answer(client, message, {segment.fd.get()});
}

void Server::on_produced(Client& client, const Message& request) {
  if (!client.offer || client.offer->index != request.index ||
      client.offer->generation != request.generation) {
    throw Error(Errc::invalid_argument, "no memory was offered for this variable");
  }
  const Offer offer = *client.offer;
  try {
    // Since the offer was made, another process may have become the producer.
    require_producer(client, checked(request));
    Segment* segment = segments_.find(offer.location.segment);
    if (segment == nullptr) throw Error(Errc::freed, "the memory is gone");
    CLARA_FASTIO_KILL_POINT("host.produced.before_seal");
    if (!segment->is_sealed) {
      posix::seal_future_write(segment->fd.get());
      segment->is_sealed = true;
    }
  } catch (const Error&) {
    abandon_offer(client);
    throw;
  }
  CLARA_FASTIO_KILL_POINT("host.produced.sealed");
  client.offer.reset();
  const layout::EntryRecord& record = checked(request);
  const Location before = record.location;
  const layout::DeviceLocation device_before = record.device.location;
  directory_.write(request.index, [&](layout::EntryRecord& target) {
    target.location = offer.location;
    target.producer = client.slot;
    target.flags &= ~std::uint32_t{layout::kProducerDied | layout::kContentLost};
    if (target.device.memory == layout::Memory::device) {
      target.device.transport = offer.device.transport;
      target.device.device = offer.device.device;
      target.device.location = offer.device.location;
    }
  });
  CLARA_FASTIO_KILL_POINT("host.produced.shown");
  if (before.segment != 0) {
    const auto words = devices_.find(request.index);
    replaced_.emplace(request.index, Replaced{before, device_before,
                                              words == devices_.end() ? std::vector<std::uint64_t>{}
                                                                      : words->second.promises()});
  }
  Message message = answer_to(request);
  answer(client, message);
}

void Server::abandon_offer(Client& client) {
  if (!client.offer) return;
  release_block(client.offer->location);
  release_device(client.offer->device.location);
  client.offer.reset();
}

void Server::abandon_pending(Client& client) {
  if (!client.pending) return;
  release_device(client.pending->request.device.location);
  client.pending.reset();
}

void Server::on_open_segment(Client& client, const Message& request) {
  Segment* segment = segments_.find(request.location.segment);
  if (segment == nullptr) throw Error(Errc::freed, "the memory was freed");
  // Before the seal only its producer may have it, whose first map may have failed.
  const bool is_unsealed =
      segment->owner.kind == EntryKind::variable && !segment->is_sealed && !segment->is_device();
  if (is_unsealed && segment->owner.producer != client.slot) {
    throw Error(Errc::not_ready, "the memory is not shown yet");
  }
  segment->mappers.set(client.slot);
  Message message = answer_to(request);
  message.location.segment = segment->id;
  message.location.segment_nbytes = segment->nbytes;
  message.flags = 1;
  if (segment->is_device()) {
    message.identity = segment->identity;
    if (!segment->fd) return answer(client, message);
    return answer(client, message, {segment->fd.get()});
  }
  if (segment->owner.kind == EntryKind::allocation || is_unsealed) {
    return answer(client, message, {segment->fd.get()});
  }
  const posix::UniqueFd read_only = posix::reopen_read_only(segment->fd.get());
  answer(client, message, {read_only.get()});
}

void Server::on_freeze(Client& client, const Message& request) {
  const layout::EntryRecord& record = checked(request);
  Segment* segment = segments_.find(record.location.segment);
  if (record.producer != client.slot || segment == nullptr || segment->is_arena ||
      (record.flags & layout::kFrozenOnCommit) == 0) {
    throw Error(Errc::read_only, "only the producer of a variable declared sealed may seal it");
  }
  posix::seal_write(segment->fd.get());
  CLARA_FASTIO_KILL_POINT("host.freeze.sealed");
  directory_.write(request.index,
                   [](layout::EntryRecord& target) { target.flags |= layout::kFrozen; });
  Message message = answer_to(request);
  answer(client, message);
}

/// Whether a freed entry has what the request asks for, of the same kind, and not much more.
bool Server::fits(const Doomed& one, const Message& request) {
  const bool is_on_device = request.device.location.capacity != 0;
  const std::uint64_t capacity = is_on_device ? request.device.location.capacity : request.nbytes;
  if (one.memory != (is_on_device ? layout::Memory::device : layout::Memory::host)) return false;
  if (one.capacity < capacity || one.capacity / 2 > capacity) return false;
  const layout::EntryRecord& record = directory_.record(one.index);
  if (record.location.attributes_capacity < request.attributes_capacity) return false;
  return !is_on_device || (record.location.capacity >= request.nbytes &&
                           record.device.transport == request.device.transport &&
                           record.device.device == request.device.device);
}

std::optional<Server::Warm> Server::take_warm(std::uint32_t producer, const Message& request) {
  // The last one freed is the one whose pages are still in the caches.
  for (auto at = doomed_.rbegin(); at != doomed_.rend(); ++at) {
    if (at->producer != producer || !at->can_stay_warm) continue;
    if (!fits(*at, request)) continue;
    const std::uint32_t index = at->index;
    if (directory_.is_referenced(index) || !is_device_idle(index)) continue;
    const Warm warm{directory_.record(index).location, directory_.record(index).device};
    doomed_.erase(std::next(at).base());
    directory_.write(index, [](layout::EntryRecord& target) {
      target.location = {};
      target.device.location = {};
    });
    reclaim(index);
    return warm;
  }
  return std::nullopt;
}

void Server::release_block(const Location& location) {
  if (location.segment == 0) return;
  if (segments_.give_back(location)) retire(location.segment);
}

void Server::retire(std::uint64_t segment_id) {
  Segment* segment = segments_.find(segment_id);
  if (segment == nullptr || !retire_device(*segment)) return;
  for (auto& [id, client] : clients_) {
    if (client->slot != layout::kNone && segment->mappers.test(client->slot)) {
      notify(*client, {protocol::Operation::notice_retire, layout::kNone, 0, segment_id});
    }
  }
  if (segment->fd) workers_.close(std::move(segment->fd));
  segments_.remove(segment_id);
}

}  // namespace clara_fastio::host
