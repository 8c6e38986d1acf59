// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include "clara_fastio/error.hpp"
#include "host/server.hpp"
#include "kill_points.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::host {

using layout::EntryKind;
using layout::Transport;

namespace {

/// Streams have as many slots; nobody needs more.
constexpr std::uint32_t kMostWords = layout::kMaxRingSlots;

protocol::Message answer_to(const protocol::Message& request) {
  protocol::Message message;
  message.serial = request.serial;
  message.operation = request.operation;
  return message;
}

}  // namespace

/// Gives an entry the words of its device work. They are few: reserving them takes no time.
void Server::make_device_words(std::uint32_t index, const layout::DeviceRecord& device) {
  const std::uint32_t count = std::clamp(device.words, 1u, kMostWords);
  const std::uint64_t nbytes = count * sizeof(layout::DeviceWords);
  posix::UniqueFd fd =
      posix::create_memfd("clara-fastio:" + options_.name + ":device" + std::to_string(index));
  posix::set_size(fd.get(), nbytes);
  posix::seal_size(fd.get());
  posix::reserve(fd.get(), 0, nbytes);
  posix::Map map = posix::Map::of(fd.get(), 0, nbytes, posix::Access::read_write,
                                  /*populate=*/false, /*inherit_on_fork=*/false);
  // Everybody may write it, as with the memory of hand-made allocations.
  const Segment& segment =
      segments_.add(std::move(fd), nbytes, Owner{layout::kNone, EntryKind::allocation}, false);
  devices_.try_emplace(index, std::move(map), segment.id, count);
  directory_.write(index, [&](layout::EntryRecord& record) {
    record.device.memory = layout::Memory::device;
    record.device.device = device.device;
    record.device.words_segment = segment.id;
    record.device.words = count;
  });
}

void Server::drop_device_words(std::uint32_t index) {
  const auto words = devices_.find(index);
  if (words == devices_.end()) return;
  retire(words->second.segment());
  devices_.erase(words);
}

bool Server::is_device_idle(std::uint32_t index) const {
  const auto words = devices_.find(index);
  return words == devices_.end() || words->second.is_idle();
}

/// A block of device memory that the client has made before, if one has room.
std::optional<layout::DeviceLocation> Server::take_device_block(std::uint32_t slot,
                                                                const Message& request,
                                                                EntryKind kind) {
  const Owner owner{slot, kind, request.device.transport, request.device.device};
  const std::uint64_t capacity = request.device.location.capacity;
  const auto block = segments_.take_block(owner, BlockSize::of_device(capacity));
  if (!block) return std::nullopt;
  return layout::DeviceLocation{block->segment, block->segment_nbytes, block->offset,
                                block->capacity};
}

void Server::release_device(const layout::DeviceLocation& location) {
  if (location.segment == 0) return;
  layout::Location block;
  block.segment = location.segment;
  block.segment_nbytes = location.segment_nbytes;
  block.offset = location.offset;
  block.capacity = location.capacity;
  release_block(block);
}

void Server::ask_for_segment(Client& client, const Message& request) {
  Message message = answer_to(request);
  message.flags = protocol::kNeedsSegment;
  answer(client, message);
}

/// Keeps device memory that a client has made. Its content outlives the client where the memory has
/// a descriptor.
void Server::on_add_segment(Client& client, const Message& request, posix::Received& received) {
  const layout::DeviceRecord& device = request.device;
  const bool has_descriptor = device.transport == Transport::vmm;
  if ((!has_descriptor && device.transport != Transport::legacy) ||
      received.fds.size() != (has_descriptor ? 1u : 0u) || device.location.segment_nbytes == 0 ||
      device.device.is_any()) {
    throw Error(Errc::invalid_argument, "the device memory is none that can be shared");
  }
  const auto kind = static_cast<EntryKind>(request.generation);
  if (kind != EntryKind::allocation && kind != EntryKind::variable) {
    throw Error(Errc::invalid_argument, "device memory is an allocation's or a variable's");
  }
  posix::UniqueFd fd = has_descriptor ? std::move(received.fds[0]) : posix::UniqueFd();
  // Small blocks share it, and one that fills it has it to itself: both are cut from an arena.
  Segment& segment =
      segments_.add(std::move(fd), device.location.segment_nbytes,
                    Owner{client.slot, kind, device.transport, device.device}, /*is_arena=*/true);
  segment.maker = client.slot;
  segment.identity = request.identity;
  segment.mappers.set(client.slot);
  CLARA_FASTIO_KILL_POINT("host.device.added");
  Message message = answer_to(request);
  message.device.location.segment = segment.id;
  message.device.location.segment_nbytes = segment.nbytes;
  answer(client, message);
}

void Server::on_unmapped(Client& client, const Message& request) {
  if (Segment* segment = segments_.find(request.location.segment); segment != nullptr) {
    segment->mappers.reset(client.slot);
  }
  Message message = answer_to(request);
  answer(client, message);
  finish_retirements();
}

/// Returns whether no device is waited for any more on behalf of the dead.
bool Server::settle_devices(const Client& client) {
  bool is_settled = true;
  for (auto& [index, words] : devices_) {
    // The producer of a variable writes alone; who made an allocation may be one of many.
    const layout::EntryRecord& record = directory_.record(index);
    const bool is_producer = record.kind == EntryKind::variable && record.producer == client.slot;
    const bool may_write =
        is_producer || directory_.lock(index).writer.load() == client.writer_word();
    is_settled = words.settle(client.slot, may_write) && is_settled;
  }
  return is_settled;
}

/// Memory that only its maker's process kept is gone with it.
void Server::lose_content_of(std::uint32_t slot) {
  std::vector<std::uint64_t> gone;
  for (const auto& [id, segment] : segments_.all()) {
    if (segment->ends_with_maker() && segment->maker == slot) gone.push_back(id);
  }
  if (gone.empty()) return;
  for (const auto& [index, words] : devices_) {
    const std::uint64_t segment = directory_.record(index).device.location.segment;
    if (std::find(gone.begin(), gone.end(), segment) == gone.end()) continue;
    directory_.write(index, [](layout::EntryRecord& record) {
      record.flags |= std::uint32_t{layout::kContentLost};
    });
  }
  for (const std::uint64_t id : gone) {
    Segment* segment = segments_.find(id);
    segment->maker = layout::kNone;  // Nobody is left who could free it too early.
    segment->waits_for_mappers = false;
    retire(id);
  }
}

/// Tells those who import memory of another process that it is to go. Returns whether it can go
/// now; else its maker hears of it when all of them have unmapped it.
bool Server::retire_device(Segment& segment) {
  if (!segment.ends_with_maker() || segment.maker == layout::kNone) return true;
  auto others = segment.mappers;
  others.reset(segment.maker);
  if (others.none()) return true;
  if (!segment.waits_for_mappers) {
    for (auto& [id, client] : clients_) {
      if (client->slot != layout::kNone && others.test(client->slot)) {
        notify(*client, {protocol::Operation::notice_retire, layout::kNone, 0, segment.id});
      }
    }
  }
  segment.waits_for_mappers = true;
  return false;
}

void Server::finish_retirements() {
  std::vector<std::uint64_t> waiting;
  for (const auto& [id, segment] : segments_.all()) {
    if (segment->waits_for_mappers) waiting.push_back(id);
  }
  for (const std::uint64_t id : waiting) retire(id);
}

}  // namespace clara_fastio::host
