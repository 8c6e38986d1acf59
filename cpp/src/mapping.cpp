// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/mapping.hpp"

#include <utility>

#include "clara_fastio/error.hpp"
#include "client/device_access.hpp"
#include "client/relaxed.hpp"
#include "client/segment_cache.hpp"
#include "client/state.hpp"
#include "kill_points.hpp"
#include "posix/clock.hpp"

namespace clara_fastio {
namespace {

using client::Record;
using protocol::Message;
using protocol::Operation;

}  // namespace

Mapping::Mapping(std::shared_ptr<Entry> entry, AccessMode mode, std::uintptr_t stream)
    : entry_(std::move(entry)), mode_(mode), stream_(stream) {
  attempt_.to_write = is_writable();
  if (entry_->queue().slots != 0) {
    throw Error(Errc::invalid_argument, entry_->label() +
                                            " carries a stream of frames: produce with next(), "
                                            "consume with frames()");
  }
}

Mapping::~Mapping() { abort(); }

bool Mapping::try_cached() {
  entry_->check();
  if (mode_ == AccessMode::dirty || is_locked_) return false;
  {
    const std::lock_guard guard(entry_->lock().mutex());
    if (is_writable() && !entry_->is_mine_) return false;
    is_locked_ = entry_->lock().look(attempt_);
    is_open_ = is_locked_ && entry_->is_fresh() && open_cached();
  }
  if (!entry_->is_on_device_ && !entry_->is_pinned_) return is_open_;
  return is_open_ && finish_open();
}

/// What is left to do for memory that devices use, without the mutex.
bool Mapping::finish_open() {
  try_pin();
  if (!entry_->is_on_device_) return true;
  try {
    begin_on_device();
  } catch (...) {
    is_open_ = false;
    unlock();
    throw;
  }
  if (is_writable()) start_writing();
  return true;
}

bool Mapping::try_map() {
  if (try_cached()) return true;
  if (mode_ == AccessMode::dirty) return open_read();
  if (!is_locked_) {
    if (!is_locked_ && !attempt_.has_claim && is_writable() && !entry_->may_write()) {
      throw Error(Errc::read_only,
                  entry_->label() + " can be written by its producer only; map it for reading");
    }
    is_locked_ = is_locked_ || entry_->lock().try_acquire(attempt_);
    if (!is_locked_) {
      if (entry_->lock().is_blocked_by_caller(attempt_)) {
        entry_->lock().give_up(attempt_);
        throw Error(Errc::lock_conflict,
                    "this thread has " + entry_->label() +
                        " mapped itself and would wait for ever; close that map first");
      }
      return false;
    }
  }
  if (!is_writable()) return open_read();
  open_write();
  return true;
}

bool Mapping::open_cached() {
  Entry& entry = *entry_;
  element_type_ = entry.element_type_;
  if (!is_writable()) {
    if (!entry.read_block_ || (entry.is_on_device_ && !entry.read_block_->device)) return false;
    version_ = entry.read_block_->head->version.load();
    // A content that was never written, or is torn, is the slow path's to explain.
    if (version_ % 2 != 0 || (version_ == 0 && entry.is_variable())) return false;
    if (entry.is_variable()) {
      Entry::read_shape(*entry.read_block_, element_type_, entry.declared_, shape_);
    } else {
      shape_ = entry.declared_;
    }
    if (block_ != entry.read_block_) block_ = entry.read_block_;
    nbytes_ = shape_.nbytes(element_type_);
    return true;
  }
  if (!entry.write_block_ || entry.next_attributes_ || entry.is_sealed_) return false;
  const layout::Head& head = *entry.write_block_->head;
  version_ = head.version.load();
  // What is there already is the slow path's to look at.
  if (mode_ == AccessMode::update && (version_ % 2 != 0 || entry.declared_.is_dynamic())) {
    return false;
  }
  if (entry.next_shape_) {
    shape_ = *entry.next_shape_;
  } else if (entry.declared_.is_dynamic()) {
    return false;
  } else {
    shape_ = entry.declared_;
  }
  nbytes_ = shape_.nbytes(element_type_);
  if (nbytes_ > entry.write_block_->capacity) return false;
  if (block_ != entry.write_block_) block_ = entry.write_block_;
  if (!entry.is_on_device_) start_writing();
  return true;
}

void Mapping::start_writing() {
  version_ |= 1;
  block_->head->version.store(version_, std::memory_order_relaxed);
  // No write to the data becomes visible before it.
  std::atomic_thread_fence(std::memory_order_release);
  CLARA_FASTIO_KILL_POINT("write.version_odd");
}

bool Mapping::wait(std::chrono::nanoseconds slice) {
  if (waits_for_content_) {
    return entry_->lock().wait_for_writer([this] { return try_map(); }, slice);
  }
  if (!is_locked_ && !entry_->lock().wait(attempt_, slice)) {
    entry_->check();
    return false;
  }
  is_locked_ = true;
  return try_map();
}

void Mapping::throw_blocked(bool waited) {
  const bool had_claim = attempt_.has_claim;
  entry_->lock().give_up(attempt_);
  const std::string name = entry_->label();
  if (waits_for_content_) {
    throw Error(Errc::not_ready, name + " was never written" +
                                     (waited ? " within the time-out" : "; wait with a timeout"));
  }
  const std::string held =
      had_claim || entry_->lock().writer_word() == 0 ? "is being read" : "is being written";
  if (waited) {
    throw Error(Errc::lock_timeout, name + " " + held + ", and the time-out is over");
  }
  throw Error(Errc::lock_conflict, name + " " + held + "; wait for it with a timeout");
}

bool Mapping::open_read() {
  try {
    block_ = entry_->readable(/*needs_data=*/true);
    const std::uint64_t version = block_ ? block_->head->version.load() : 0;
    if (entry_->is_variable() && (version == 0 || (version == 1 && mode_ == AccessMode::dirty))) {
      unlock();
      const Record record = entry_->read_record();
      if (record.state == layout::EntryState::doomed) {
        throw Error(Errc::freed, "'" + record.name + "' was freed before it was ever written");
      }
      if ((record.flags & layout::kProducerDied) != 0) {
        throw Error(Errc::peer_died,
                    "the producer of " + entry_->label() + " died before it wrote anything");
      }
      waits_for_content_ = true;
      return false;
    }
    if (mode_ == AccessMode::read && version % 2 != 0) {
      throw Error(Errc::lock_abandoned,
                  "the content of " + entry_->label() +
                      " is torn: its last writer died or gave up; write it anew with mode 'w'");
    }
    version_ = version;
    describe(false);
    try_pin();
    begin_on_device();
  } catch (...) {
    unlock();
    throw;
  }
  waits_for_content_ = false;
  is_open_ = true;
  return true;
}

void Mapping::open_write() {
  try {
    const bool keeps = mode_ == AccessMode::update;
    auto before = entry_->readable();
    if (keeps && entry_->is_variable() && before && !entry_->is_producer()) {
      throw Error(
          Errc::read_only,
          entry_->label() + " was written by a process that is gone; only mode 'w' starts it anew");
    }
    if (keeps && before && before->head->version.load() % 2 != 0) {
      throw Error(Errc::lock_abandoned,
                  "the content of " + entry_->label() +
                      " is torn: its last writer died or gave up; write it anew with mode 'w'");
    }
    if (entry_->is_sealed() && before && before->head->version.load() > 1 &&
        entry_->is_producer()) {
      throw Error(Errc::read_only, entry_->label() + " is sealed: its first write was its last");
    }
    block_ = before;
    version_ = before ? before->head->version.load() : 0;
    describe(true);
    std::size_t attributes_nbytes = 0;
    {
      const std::lock_guard lock(entry_->lock().mutex());
      if (entry_->next_attributes_) attributes_nbytes = entry_->next_attributes_->size();
    }
    block_ = entry_->writable(nbytes_, static_cast<std::uint32_t>(attributes_nbytes), keeps);
    if (nbytes_ > block_->capacity) {
      throw Error(Errc::shape,
                  "the description of " + entry_->label() + " does not fit its memory");
    }
    version_ = block_->head->version.load();
    try_pin();
    begin_on_device();
    start_writing();
  } catch (...) {
    unlock();
    throw;
  }
  is_open_ = true;
}

/// Finds the shape and size of what is mapped.
void Mapping::describe(bool will_write) {
  const Entry::Description description = entry_->description();
  element_type_ = description.element_type;
  shape_ = description.shape;
  const bool has_content = entry_->is_variable() && block_ && version_ > 1;
  if (will_write && mode_ == AccessMode::write) {
    shape_ = entry_->pending_shape(block_.get());
  } else if (has_content) {
    Entry::read_shape(*block_, element_type_, description.shape, shape_);
  } else if (will_write) {
    shape_ = entry_->pending_shape(nullptr);
  }
  if (shape_.is_dynamic()) {
    throw Error(Errc::not_allocated, entry_->label() + " has the shape " + shape_.text() +
                                         "; call update_shape() first");
  }
  nbytes_ = shape_.nbytes(element_type_);
  if (!will_write && nbytes_ > block_->capacity) {
    throw Error(Errc::layout, "the content of " + entry_->label() + " is larger than its memory");
  }
}

void Mapping::write_head() {
  layout::Head& head = *block_->head;
  client::store_relaxed(head.ndim, shape_.ndim);
  client::copy_relaxed(head.dimensions, shape_.dimensions.data(), shape_.ndim);
  if (entry_->has_next_attributes_.load()) {
    const std::lock_guard lock(entry_->lock().mutex());
    const std::string& json = *entry_->next_attributes_;
    // Set after the map, they may not fit: then they wait for the next one.
    if (json.size() <= block_->location.attributes_capacity) {
      auto* attributes = reinterpret_cast<char*>(&head) + sizeof(layout::Head);
      client::copy_relaxed(attributes, json.data(), json.size());
      client::store_relaxed(head.attributes_nbytes, static_cast<std::uint32_t>(json.size()));
      entry_->next_attributes_.reset();
      entry_->has_next_attributes_.store(false);
    }
  }
  client::store_relaxed(head.committed_monotonic, posix::clock_ns(CLOCK_MONOTONIC_COARSE));
  client::store_relaxed(head.committed_realtime, posix::clock_ns(CLOCK_REALTIME_COARSE));
}

void Mapping::commit() {
  if (!is_open_) return;
  is_open_ = false;
  entry_->context().check_process();
  try {
    end_on_device(true);
  } catch (...) {
    unlock();
    throw;
  }
  // Before the lock goes: what a later writer leaves behind was not read here.
  const bool was_poisoned = is_poisoned();
  if (was_poisoned || !is_writable()) {
    unlock();  // Without a commit, a change in place leaves torn content.
    if (was_poisoned) throw_poisoned();
    return;
  }
  write_head();
  CLARA_FASTIO_KILL_POINT("write.before_commit");
  version_ += 1;
  // The word is given back right after: who sees that, sees this.
  block_->head->version.store(version_, std::memory_order_release);
  CLARA_FASTIO_KILL_POINT("write.committed");
  if (entry_->is_sealed()) {
    try {
      entry_->freeze(*block_->segment);
    } catch (...) {
      unlock();
      throw;
    }
  }
  unlock();
}

void Mapping::abort() noexcept {
  is_open_ = false;
  if (entry_->context().is_foreign()) return abandon_on_device();
  try {
    end_on_device(false);
  } catch (const std::exception&) {
    // The device has failed, and every promise of this process is taken as kept.
  }
  if (is_locked_) {
    unlock();
  } else {
    entry_->lock().give_up(attempt_);
  }
}

void Mapping::unlock() noexcept {
  if (!is_locked_) return;
  is_locked_ = false;
  if (is_writable()) {
    attempt_.has_claim = false;
    entry_->lock().release_write();
  } else {
    entry_->lock().release_read(attempt_);
  }
}

}  // namespace clara_fastio
