// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "clara_fastio/error.hpp"
#include "clara_fastio/names.hpp"
#include "host/server.hpp"
#include "kill_points.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::host {

using layout::EntryKind;

namespace {

/// The name of an edge, and the role of who is awaited there.
std::pair<std::string, std::string> split(const protocol::Message& request) {
  const std::string_view text = request.text_view();
  const std::size_t end = std::min(text.find('\0'), text.size());
  return {std::string(text.substr(0, end)),
          std::string(text.substr(std::min(end + 1, text.size())))};
}

}  // namespace

/// Gives a new variable the words of its stream. They are few: reserving them takes no time.
void Server::make_stream(std::uint32_t index, layout::QueueRecord queue) {
  posix::UniqueFd fd =
      posix::create_memfd("clara-fastio:" + options_.name + ":ring" + std::to_string(index));
  posix::set_size(fd.get(), layout::kRingBytes);
  posix::seal_size(fd.get());
  posix::reserve(fd.get(), 0, layout::kRingBytes);
  posix::Map map = posix::Map::of(fd.get(), 0, layout::kRingBytes, posix::Access::read_write,
                                  /*populate=*/false, /*inherit_on_fork=*/false);
  // Everybody may write it, as with the memory of hand-made allocations.
  const Segment& segment = segments_.add(std::move(fd), layout::kRingBytes,
                                         Owner{layout::kNone, EntryKind::allocation}, false);
  queue.segment = segment.id;
  streams_.try_emplace(index, std::move(map), segment.id, queue);
  directory_.write(index, [&](layout::EntryRecord& record) { record.queue = queue; });
}

void Server::drop_stream(std::uint32_t index) {
  const auto stream = streams_.find(index);
  if (stream == streams_.end()) return;
  retire(stream->second.segment());
  streams_.erase(stream);
}

void Server::repair_streams(const Client& client, bool has_died) {
  for (auto& [index, stream] : streams_) {
    stream.repair_consumer(client.slot);
    if (directory_.record(index).producer == client.slot) stream.repair_producer(has_died);
  }
}

void Server::on_subscribe(Client& client, const Message& request) {
  const layout::EntryRecord& record = checked(request);
  const auto stream = streams_.find(request.index);
  if (record.state != layout::EntryState::live || stream == streams_.end()) {
    throw Error(Errc::freed, "the stream was freed");
  }
  if (request.queue.policy > layout::Policy::sample) {
    throw Error(Errc::invalid_argument, "the policy of the edge is none that can be");
  }
  const bool is_reserved = (request.flags & protocol::kReserved) != 0;
  auto [name, role] =
      is_reserved ? split(request) : std::pair{std::string(request.text_view()), client.role};
  if (name.empty()) {
    name = client.role.empty() ? "process " + std::to_string(client.pid) : client.role;
  } else {
    check_name(name, "edge");
  }
  const Stream::Place place =
      stream->second.subscribe(request, std::move(name), role, {client.slot, client.pid});
  CLARA_FASTIO_KILL_POINT("host.subscribe.done");
  Message message;
  message.serial = request.serial;
  message.operation = request.operation;
  message.lane = place.lane;
  message.member = place.member;
  message.set_text(place.name);
  answer(client, message);
}

void Server::on_unreserve(Client& client, const Message& request) {
  checked(request);
  const auto stream = streams_.find(request.index);
  if (stream == streams_.end()) throw Error(Errc::freed, "the stream was freed");
  const auto [name, role] = split(request);
  stream->second.unreserve(name, role);
  Message message;
  message.serial = request.serial;
  message.operation = request.operation;
  answer(client, message);
}

void Server::on_unsubscribe(Client& client, const Message& request) {
  checked(request);
  const auto stream = streams_.find(request.index);
  if (stream == streams_.end()) throw Error(Errc::freed, "the stream was freed");
  stream->second.unsubscribe(request.member, client.slot);
  Message message;
  message.serial = request.serial;
  message.operation = request.operation;
  answer(client, message);
}

}  // namespace clara_fastio::host
