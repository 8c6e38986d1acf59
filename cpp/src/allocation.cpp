// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/names.hpp"
#include "client/block.hpp"
#include "client/state.hpp"
#include "kill_points.hpp"

namespace clara_fastio {

using client::Record;
using protocol::Message;
using protocol::Operation;

namespace {

std::uint64_t capacity_of(const Record& record) {
  const bool is_on_device = record.device.location.segment != 0;
  return is_on_device ? record.device.location.capacity : record.location.capacity;
}

}  // namespace

std::uint64_t Entry::capacity() {
  check();
  return capacity_of(read_record());
}

void Entry::describe(ElementType type, const Shape& shape) {
  check();
  if (shape.is_dynamic()) {
    throw Error(Errc::shape,
                "the dimensions of an allocation are all known; found " + shape.text());
  }
  const std::uint64_t needed = shape.nbytes(type);
  // Memory comes in units, but whoever asked for ten bytes has ten.
  const std::uint64_t limit = requested_ != 0 ? requested_ : capacity_of(read_record());
  if (needed > limit) {
    throw Error(Errc::shape, shape.text() + " of " + std::string(element_type_name(type)) +
                                 " needs " + std::to_string(needed) +
                                 " bytes; the allocation has " + std::to_string(limit));
  }
  if (is_published()) {
    Message message;
    message.operation = Operation::describe;
    message.index = index_;
    message.generation = generation_.load();
    message.element_type = type;
    message.set_shape(shape);
    context_->state().connection->request(message);
  }
  const std::lock_guard lock(lock_.mutex());
  element_type_ = type;
  declared_ = shape;
}

void Entry::publish(const std::string& name) {
  check();
  check_name(name, "allocation");
  if (is_published()) {
    throw Error(Errc::already_exists, "the allocation is published as '" + this->name() + "'");
  }
  Message message;
  message.operation = Operation::publish;
  message.index = index_;
  message.generation = generation_.load();
  message.set_text(name);
  {
    const std::lock_guard fields(lock_.mutex());
    message.element_type = element_type_;
    message.set_shape(declared_);
  }
  Context::State& state = context_->state();
  // Held over the request, so that no other thread finds the name and makes a second object of it.
  const std::lock_guard lock(state.entries_mutex);
  const Message answer = state.connection->request(message).message;
  CLARA_FASTIO_KILL_POINT("publish.answered");
  generation_.store(answer.generation);
  is_private_.store(false);
  state.entries[index_] = weak_from_this();
}

void Entry::free() {
  check();
  // Private memory goes back to the pool with its last reference.
  if (!is_published()) return;
  Context::State& state = context_->state();
  const Record record = read_record();
  Message message;
  message.operation = Operation::free;
  message.index = index_;
  message.generation = generation_.load();
  const bool is_ours = state.connection->request(message).message.flags != 0;
  CLARA_FASTIO_KILL_POINT("free.answered");
  // Of two who free, the one that did it puts the memory into the pool; the other is told nothing.
  if (!is_ours || is_variable() || record.producer != state.slot) return;
  if (is_on_device_) return state.watcher->drop_later(index_, generation_.load());
  if (auto block = client::block_at(state.segments, record.location)) {
    state.pool.put({index_, generation_.load(), std::move(block)});
    if (state.watcher && state.pool.is_over()) state.watcher->wake();
  }
}

}  // namespace clara_fastio
