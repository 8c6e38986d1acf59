// SPDX-License-Identifier: Apache-2.0
#include "client/stream.hpp"

#include <fcntl.h>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/names.hpp"
#include "client/state.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::client {
namespace {

/// An edge, and who is awaited there.
std::string named(const std::string& edge, const std::string& role) {
  check_name(edge, "edge");
  if (!role.empty()) check_name(role, "role");
  return edge + '\0' + role;
}

}  // namespace

Stream Stream::of(Entry& entry) {
  entry.check();
  Stream stream;
  stream.queue = entry.queue();
  if (stream.queue.slots == 0) {
    throw Error(Errc::invalid_argument,
                entry.label() + " carries no stream of frames; declare it with a queue");
  }
  Context::State& state = entry.context().state();
  const std::uint64_t id = stream.queue.segment;
  stream.map = state.segments.find(id, posix::Access::read_write);
  if (!stream.map) {
    protocol::Message message;
    message.operation = protocol::Operation::open_segment;
    message.location.segment = id;
    const Answer answer = state.connection->request(message);
    if (answer.fds.empty()) throw Error(Errc::layout, "the host sent no descriptor");
    const int fd = answer.fds[0].get();
    // Without these seals a peer could make a read end in SIGBUS.
    const int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
    if ((posix::seals(fd) & wanted) != wanted || posix::size_of(fd) < layout::kRingBytes) {
      throw Error(Errc::seal, "the words of the stream are not sealed as they must be");
    }
    stream.map = state.segments.add(
        id, posix::Access::read_write,
        posix::Map::of(fd, 0, layout::kRingBytes, posix::Access::read_write, /*populate=*/true,
                       /*inherit_on_fork=*/false));
  }
  stream.ring = Ring(stream.map->map.data(), stream.queue.slots);
  return stream;
}

protocol::Message subscribe(Entry& entry, const EdgeOptions& options) {
  entry.check();
  protocol::Message message;
  message.operation = protocol::Operation::subscribe;
  message.index = entry.index();
  message.generation = entry.generation();
  if (options.is_shared) message.flags |= protocol::kShared;
  if (options.is_reserved) message.flags |= protocol::kReserved;
  message.queue.policy = options.policy;
  message.queue.parameter = options.parameter;
  message.queue.spin_ns = options.deadline_ns;
  message.set_text(options.is_reserved ? named(options.name, options.role) : options.name);
  return entry.context().state().connection->request(message).message;
}

void unreserve(Entry& entry, const std::string& name, const std::string& role) {
  entry.check();
  protocol::Message message;
  message.operation = protocol::Operation::unreserve;
  message.index = entry.index();
  message.generation = entry.generation();
  message.set_text(named(name, role));
  entry.context().state().connection->request(message);
}

}  // namespace clara_fastio::client
