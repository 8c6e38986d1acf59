// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/entry.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "clara_fastio/error.hpp"
#include "client/block.hpp"
#include "client/relaxed.hpp"
#include "client/state.hpp"
#include "kill_points.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio {
namespace {

using client::Record;
using layout::EntryKind;
using layout::EntryState;
using protocol::Message;
using protocol::Operation;

}  // namespace

Entry::Entry(std::shared_ptr<Context> context, std::uint32_t index, const Record& record)
    : context_(std::move(context)),
      index_(index),
      record_(context_->state().tables->raw(index)),
      generation_(record.generation),
      kind_(record.kind),
      order_(record.order),
      is_sealed_((record.flags & layout::kFrozenOnCommit) != 0),
      is_on_device_(record.device.memory == layout::Memory::device),
      is_pinned_((record.flags & layout::kPinned) != 0),
      may_stage_((record.flags & layout::kMayStage) != 0),
      queue_(record.queue),
      role_hash_(record.role_hash),
      lock_(context_->state().tables->lock(index), context_->state().slot,
            context_->state().slot_generation),
      element_type_(record.element_type),
      declared_(record.shape) {
  context_->state().refer(index_, this);
  if (auto draft = context_->state().take_draft(index_, record.generation)) {
    next_shape_ = draft->shape;
    next_attributes_ = std::move(draft->attributes);
    has_next_attributes_.store(next_attributes_.has_value());
  }
}

Entry::Entry(std::shared_ptr<Context> context, std::uint32_t index, std::uint64_t generation,
             std::shared_ptr<Block> block, std::uint64_t nbytes)
    : context_(std::move(context)),
      index_(index),
      record_(context_->state().tables->raw(index)),
      generation_(generation),
      is_private_(true),
      kind_(EntryKind::allocation),
      order_(layout::Order::row_major),
      is_on_device_(block->device != nullptr),
      requested_(nbytes),
      lock_(context_->state().tables->lock(index), context_->state().slot,
            context_->state().slot_generation),
      element_type_(ElementType::uint8),
      write_block_(std::move(block)) {
  const auto length = static_cast<std::int64_t>(nbytes);
  declared_ = Shape::of(std::span(&length, 1));
  context_->state().refer(index_, this);
}

Entry::~Entry() {
  if (context_->is_foreign()) return;
  Context::State& state = context_->state();
  const bool is_unused = is_private_.load();
  std::shared_ptr<Block> block;
  if (next_shape_ || next_attributes_) {
    state.keep_draft(index_, {generation_.load(), next_shape_, std::move(next_attributes_)});
  }
  {
    // Until it is forgotten below, the watcher may reach this object through `let_go`.
    const std::lock_guard lock(lock_.mutex());
    block.swap(write_block_);
    read_block_.reset();
  }
  state.forget(index_, this);
  // Device memory is no part of the pool: a device may still work on it, which the host knows.
  if (is_unused && block && is_on_device_) {
    block.reset();
    if (state.watcher) state.watcher->drop_later(index_, generation_.load());
  } else if (is_on_device_) {
    block.reset();
    context_->tidy_devices();
  } else if (is_unused && block) {
    state.pool.put({index_, generation_.load(), std::move(block)});
    if (state.watcher && state.pool.is_over()) state.watcher->wake();
  }
}

void Entry::check() {
  context_->check();
  if (shared_generation() != generation_.load()) require_generation();
}

std::uint64_t Entry::shared_generation() const noexcept {
  return __atomic_load_n(&record_.generation, __ATOMIC_SEQ_CST);
}

bool Entry::is_doomed() const noexcept {
  return client::load_relaxed(record_.state) == EntryState::doomed;
}

void Entry::require_live() {
  check();
  if (read_record().state == EntryState::doomed) {
    throw Error(Errc::freed, "'" + name() + "' was freed for everybody");
  }
}

void Entry::require_generation() {
  // Another thread of this process may be publishing the entry: it holds the mutex until both
  // numbers agree again.
  const std::lock_guard lock(context_->state().entries_mutex);
  if (shared_generation() != generation_.load()) {
    throw Error(Errc::freed, "the entry was freed for everybody");
  }
}

std::string Entry::name() {
  context_->check_process();
  return is_published() ? context_->state().tables->read(index_).name : std::string{};
}

std::string Entry::label() {
  const std::string text = name();
  return text.empty() ? "the unpublished allocation" : "'" + text + "'";
}

Entry::Description Entry::description() {
  context_->check_process();
  const std::lock_guard lock(lock_.mutex());
  return {element_type_, declared_};
}

ElementType Entry::element_type() { return description().element_type; }

Shape Entry::declared_shape() { return description().shape; }

Record Entry::read_record() {
  context_->check_process();
  for (;;) {
    Record record = context_->state().tables->read(index_);
    if (record.generation == generation_.load()) return record;
    require_generation();
  }
}

void Entry::let_go_all() {
  const std::lock_guard lock(lock_.mutex());
  read_block_.reset();
  write_block_.reset();
}

void Entry::let_go(const std::unordered_set<std::uint64_t>& segments) {
  const std::lock_guard lock(lock_.mutex());
  const auto is_in = [&segments](const Block& block) {
    return segments.contains(block.location.segment) ||
           (block.device && segments.contains(block.device->record.location.segment));
  };
  if (read_block_ && is_in(*read_block_)) read_block_.reset();
  if (write_block_ && is_in(*write_block_)) write_block_.reset();
}

std::shared_ptr<Block> Entry::map_block(const layout::Location& location,
                                        const layout::DeviceRecord& device, bool writable,
                                        int descriptor) {
  Context::State& state = context_->state();
  const auto access = writable ? posix::Access::read_write : posix::Access::read_only;
  auto segment = state.segments.find(location.segment, access);
  if (!segment) {
    client::Answer answer;
    if (descriptor < 0) {
      Message message;
      message.operation = Operation::open_segment;
      message.location.segment = location.segment;
      answer = state.connection->request(message);
      if (answer.fds.empty()) throw Error(Errc::layout, "the host sent no descriptor");
      descriptor = answer.fds[0].get();
    }
    // Without these seals a peer could make a read end in SIGBUS.
    const int wanted =
        F_SEAL_SHRINK | F_SEAL_GROW | (is_variable() && !writable ? F_SEAL_FUTURE_WRITE : 0);
    if ((posix::seals(descriptor) & wanted) != wanted) {
      throw Error(Errc::seal, "the memory of the entry is not sealed as it must be");
    }
    if (posix::size_of(descriptor) < location.segment_nbytes) {
      throw Error(Errc::layout, "the memory of the entry is shorter than its record says");
    }
    const bool own = location.segment_nbytes != layout::kArenaBytes;
    segment = state.segments.add(
        location.segment, access,
        posix::Map::of(descriptor, 0, location.segment_nbytes, access, writable && own,
                       /*inherit_on_fork=*/is_variable()));
  }
  if (location.offset + location.data_offset + location.capacity > segment->map.size()) {
    throw Error(Errc::layout, "the entry lies outside its segment");
  }
  auto block = client::block_in(std::move(segment), location);
  if (device.location.segment != 0) {
    block->capacity = device.location.capacity + heads_nbytes();
  }
  return block;
}

void Entry::remember(const Record& record) {
  cached_sequence_ = record.sequence;
  is_mine_ = !is_variable() || record.producer == context_->state().slot;
  const auto is_other = [&record](const Block& block) {
    return block.location != record.location ||
           (block.device && block.device->record != record.device);
  };
  if (read_block_ && is_other(*read_block_)) read_block_.reset();
  if (write_block_ && is_other(*write_block_)) write_block_.reset();
  if (kind_ == EntryKind::allocation && is_published()) {
    element_type_ = record.element_type;
    declared_ = record.shape;
  }
}

std::shared_ptr<Block> Entry::readable(bool needs_data) {
  const bool needs_device = needs_data && is_on_device_;
  const std::lock_guard slow(slow_mutex_);
  {
    const std::lock_guard lock(lock_.mutex());
    if (is_fresh() && read_block_ && (!needs_device || read_block_->device)) return read_block_;
  }
  for (;;) {
    const Record record = read_record();
    if (record.location.segment == 0) return nullptr;
    if (needs_device && (record.flags & layout::kContentLost) != 0) {
      throw Error(Errc::peer_died, "the device memory of " + label() +
                                       " ended with the process that made it, since it was shared "
                                       "by a legacy handle; its next producer makes new memory");
    }
    try {
      auto block = map_block(record.location, record.device, false, -1);
      if (needs_device) attach_device(*block, record.device, false);
      const std::lock_guard lock(lock_.mutex());
      remember(record);
      if (!read_block_ || needs_device) read_block_ = std::move(block);
      return read_block_;
    } catch (const Error& error) {
      // The block was replaced between the look and the request: there is a newer one.
      if (error.code() != Errc::freed || record_.sequence.load() == record.sequence) throw;
    }
  }
}

std::shared_ptr<Block> Entry::writable(std::uint64_t nbytes, std::uint32_t attributes_nbytes,
                                       bool keep_content) {
  const std::lock_guard slow(slow_mutex_);
  const Record record = read_record();
  const layout::Location& location = record.location;
  const bool is_mine = !is_variable() || record.producer == context_->state().slot;
  std::shared_ptr<Block> block;
  if (is_mine && location.segment != 0) {
    block = map_block(location, record.device, true, -1);
    if (is_on_device_) attach_device(*block, record.device, true);
    if (is_variable() &&
        (block->capacity < nbytes || location.attributes_capacity < attributes_nbytes)) {
      block = grow(*block, nbytes, attributes_nbytes, keep_content);
    }
  } else if (location.segment == 0) {
    block = produce(nbytes, attributes_nbytes, 0);
    show(*block);
  } else {
    // What another process wrote is never written again: its segment stays as it is.
    const auto before = map_block(location, {}, false, -1);
    block = produce(nbytes, attributes_nbytes, before->head->version.load());
    show(*block);
  }
  const Record now = read_record();
  const std::lock_guard lock(lock_.mutex());
  remember(now);
  if (now.location == block->location) write_block_ = block;
  return block;
}

std::shared_ptr<Block> Entry::grow(const Block& before, std::uint64_t nbytes,
                                   std::uint32_t attributes_nbytes, bool keep_content) {
  const std::uint32_t old_attributes =
      std::min(before.head->attributes_nbytes, before.location.attributes_capacity);
  Shape shape;
  std::uint64_t content_nbytes = 0;
  const std::uint64_t version = before.head->version.load();
  if (keep_content && version > 1) {
    read_shape(before, element_type(), declared_shape(), shape);
    content_nbytes = shape.nbytes(element_type());
  }
  auto block = produce(std::max(nbytes, content_nbytes),
                       std::max(attributes_nbytes, old_attributes), version);
  layout::Head& head = *block->head;
  const auto* from = reinterpret_cast<const std::byte*>(before.head) + sizeof(layout::Head);
  std::copy_n(from, old_attributes, reinterpret_cast<std::byte*>(&head) + sizeof(layout::Head));
  head.attributes_nbytes = old_attributes;
  // On a device there is nothing to copy: a change in place never needs more memory there.
  if (keep_content && version > 1 && !is_on_device_) {
    std::copy(shape.dimensions.begin(), shape.dimensions.begin() + shape.ndim, head.dimensions);
    std::copy_n(before.data, content_nbytes, block->data);
  }
  show(*block);
  return block;
}

std::shared_ptr<Block> Entry::produce(std::uint64_t nbytes, std::uint32_t attributes_nbytes,
                                      std::uint64_t version_before) {
  Message message;
  message.operation = Operation::produce;
  message.index = index_;
  message.generation = generation_.load();
  message.nbytes = nbytes;
  message.attributes_capacity = attributes_nbytes;
  if (is_on_device_) describe_device(message, nbytes);
  std::unique_lock memory_lock(context_->state().memory_mutex);
  client::Answer answer = is_on_device_ ? context_->request_device_memory(message, kind_)
                                        : context_->request_memory(message);
  CLARA_FASTIO_KILL_POINT("produce.offered");
  const layout::Location& location = answer.message.location;
  client::require_inside(location);
  if (location.capacity < message.nbytes || location.attributes_capacity < attributes_nbytes) {
    throw Error(Errc::layout, "the host offered too little memory");
  }
  const int descriptor = answer.fds.empty() ? -1 : answer.fds[0].get();
  layout::DeviceRecord device = answer.message.device;
  if (is_on_device_) {
    const layout::DeviceRecord known = read_record().device;
    device.memory = known.memory;
    device.words_segment = known.words_segment;
    device.words = known.words;
    client::require_inside(device);
  }
  auto block = map_block(location, device, true, descriptor);
  if (is_on_device_) attach_device(*block, device, true);
  memory_lock.unlock();
  layout::Head& head = *block->head;
  const Shape declared = declared_shape();
  head.attributes_nbytes = 0;
  head.generation = message.generation;
  head.ndim = declared.ndim;
  for (std::uint32_t i = 0; i < declared.ndim; ++i) {
    head.dimensions[i] = std::max<std::int64_t>(declared.dimensions[i], 0);
  }
  // A new block shows as being written until its first commit, unless nothing was ever written.
  head.version.store(version_before == 0 ? 0 : version_before | 1);
  return block;
}

void Entry::show(const Block& block) {
  CLARA_FASTIO_KILL_POINT("produce.mapped");
  Message message;
  message.operation = Operation::produced;
  message.index = index_;
  message.generation = generation_.load();
  message.location = block.location;
  context_->state().connection->request(message);
  CLARA_FASTIO_KILL_POINT("produce.sealed");
}

void Entry::freeze(client::SegmentMap& segment) {
  Context::State& state = context_->state();
  Message message;
  message.operation = Operation::open_segment;
  message.location.segment = segment.segment;
  const client::Answer answer = state.connection->request(message);
  if (answer.fds.empty()) throw Error(Errc::layout, "the host sent no descriptor");
  segment.map.freeze(answer.fds[0].get());
  CLARA_FASTIO_KILL_POINT("freeze.remapped");
  message.operation = Operation::freeze;
  message.index = index_;
  message.generation = generation_.load();
  state.connection->request(message);
}

void Entry::read_shape(const Block& block, ElementType type, const Shape& declared, Shape& shape) {
  const layout::Head& head = *block.head;
  const std::uint32_t ndim = client::load_relaxed(head.ndim);
  bool is_sound = ndim == declared.ndim;
  shape.ndim = is_sound ? ndim : 0;
  for (std::uint32_t i = 0; i < shape.ndim; ++i) {
    shape.dimensions[i] = client::load_relaxed(head.dimensions[i]);
    is_sound =
        is_sound && shape.dimensions[i] >= 0 &&
        (declared.dimensions[i] == kDynamic || declared.dimensions[i] == shape.dimensions[i]);
  }
  try {
    if (is_sound && shape.nbytes(type) <= block.capacity) return;
  } catch (const Error&) {
    // More bytes than can be counted: no shape that a producer of this library writes.
  }
  throw Error(Errc::layout, "the head of the content holds a shape that cannot be");
}

Content Entry::read_content(const Block& block, ElementType type, bool is_variable,
                            const Shape& declared) {
  const layout::Head& head = *block.head;
  Content content;
  content.version = head.version.load();
  content.committed_monotonic = client::load_relaxed(head.committed_monotonic);
  content.committed_realtime = client::load_relaxed(head.committed_realtime);
  const std::uint32_t attributes_nbytes = client::load_relaxed(head.attributes_nbytes);
  if (attributes_nbytes > block.location.attributes_capacity) {
    throw Error(Errc::layout, "the head of the content holds attributes that cannot be");
  }
  const auto* attributes = reinterpret_cast<const char*>(block.head) + sizeof(layout::Head);
  content.attributes.resize(attributes_nbytes);
  client::copy_relaxed(content.attributes.data(), attributes, attributes_nbytes);
  if (is_variable && content.version > 1) {
    read_shape(block, type, declared, content.shape);
  } else {
    content.shape = declared;
  }
  return content;
}

}  // namespace clara_fastio
