// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/ring_layout.hpp"
#include "client/block.hpp"
#include "client/state.hpp"

namespace clara_fastio {
namespace {

using client::Record;
using layout::EntryState;
using std::chrono::steady_clock;

/// How long a look at the content goes on while a writer changes it.
constexpr std::chrono::milliseconds kLookTime{2};

}  // namespace

bool Entry::is_producer() {
  return is_variable() && read_record().producer == context_->state().slot;
}

bool Entry::may_write() {
  if (!is_variable()) return true;
  const Record record = read_record();
  if ((record.flags & layout::kFrozen) != 0) return false;
  if (role_hash_ != 0 && role_hash_ != context_->state().role_hash) return false;
  return record.producer == layout::kNone || record.producer == context_->state().slot;
}

bool Entry::is_allocated() { return read_record().location.segment != 0; }

Shape Entry::pending_shape(const Block* block) {
  const std::lock_guard lock(lock_.mutex());
  if (next_shape_) return *next_shape_;
  // An odd head holds a shape that was never committed.
  const std::uint64_t version = block == nullptr ? 0 : block->head->version.load();
  if (declared_.is_dynamic() && version != 0 && version % 2 == 0) {
    Shape shape;
    read_shape(*block, element_type_, declared_, shape);
    return shape;
  }
  return declared_;
}

Shape Entry::shape() {
  check();
  if (!is_variable()) return declared_shape();
  {
    const std::lock_guard lock(lock_.mutex());
    if (next_shape_) return *next_shape_;
  }
  const auto now = content();
  return now ? now->shape : declared_shape();
}

void Entry::update_shape(const Shape& shape) {
  check();
  if (!may_write()) {
    throw Error(Errc::read_only,
                "the shape of '" + name() + "' can be changed by its producer only");
  }
  if (queue_.slots != 0) {
    throw Error(Errc::invalid_argument,
                label() + " carries a stream: each frame has its own shape; give it to next()");
  }
  const Shape declared = declared_shape();
  if (!declared.is_dynamic()) {
    throw Error(Errc::shape, "all dimensions of '" + name() + "' are fixed: it is declared as " +
                                 declared.text());
  }
  if (shape.is_dynamic() || !shape.fits(declared)) {
    throw Error(Errc::shape, shape.text() + " does not fit '" + name() +
                                 "', which is declared as " + declared.text());
  }
  (void)shape.nbytes(element_type());  // Refuses what nobody can address.
  const std::lock_guard lock(lock_.mutex());
  next_shape_ = shape;
}

void Entry::allocate() {
  check();
  const Record record = read_record();
  if (!may_write()) {
    throw Error(Errc::read_only,
                "memory for '" + record.name + "' can be reserved by its producer only");
  }
  if (queue_.slots != 0) {
    if (record.location.segment != 0) return;
    (void)writable(layout::SlotPlan::of(queue_.slots, queue_.slot_nbytes, is_on_device_).nbytes, 0,
                   false);
    return;
  }
  const Shape wanted = pending_shape(nullptr);
  if (wanted.is_dynamic()) {
    throw Error(Errc::not_allocated, "'" + record.name + "' has the shape " + wanted.text() +
                                         "; call update_shape() before allocate()");
  }
  // Content that is there already is replaced under the lock, by the next map for writing.
  if (record.location.segment != 0) return;
  std::uint64_t attributes_nbytes = 0;
  {
    const std::lock_guard lock(lock_.mutex());
    if (next_attributes_) attributes_nbytes = next_attributes_->size();
  }
  (void)writable(wanted.nbytes(element_type()), static_cast<std::uint32_t>(attributes_nbytes),
                 false);
}

std::optional<Content> Entry::content() {
  check();
  const auto block = readable();
  if (!block) return std::nullopt;
  const auto start = steady_clock::now();
  for (;;) {
    const std::uint64_t before = block->head->version.load();
    if (before % 2 == 0) {
      Content content = read_content(*block, element_type(), is_variable(), declared_shape());
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (block->head->version.load() == before) return content;
    }
    if (steady_clock::now() - start > kLookTime) {
      Content unknown;
      unknown.version = before;
      unknown.shape = declared_shape();
      return unknown;
    }
    std::this_thread::yield();
  }
}

std::uint64_t Entry::version() {
  check();
  const auto block = readable();
  return block ? block->head->version.load() / 2 : 0;
}

bool Entry::wait_for_version(std::uint64_t version, std::chrono::nanoseconds slice) {
  const auto reached = [&] {
    if (this->version() >= version) return true;
    const Record record = read_record();
    if (record.state == EntryState::doomed) {
      throw Error(Errc::freed,
                  "'" + record.name + "' was freed before version " + std::to_string(version));
    }
    if ((record.flags & layout::kProducerDied) != 0) {
      throw Error(Errc::peer_died, "the producer of '" + record.name + "' died before version " +
                                       std::to_string(version));
    }
    return false;
  };
  if (reached()) return true;
  // A sleep of no length would be a system call all the same, and no cheap one.
  return slice.count() > 0 && lock_.wait_for_writer(reached, slice);
}

std::string Entry::attributes() {
  {
    const std::lock_guard lock(lock_.mutex());
    if (next_attributes_) return *next_attributes_;
  }
  const auto now = content();
  return now && now->version > 0 ? now->attributes : std::string{};
}

void Entry::set_attributes(const std::string& json) {
  check();
  if (!is_variable()) throw Error(Errc::invalid_argument, "only variables have attributes");
  if (!may_write()) {
    throw Error(Errc::read_only, "the attributes of '" + name() + "' belong to its producer");
  }
  if (json.size() > layout::kMaxAttributeBytes) {
    throw Error(Errc::invalid_argument, "the attributes are " + std::to_string(json.size()) +
                                            " bytes of JSON; at most 4096 are allowed");
  }
  const std::lock_guard lock(lock_.mutex());
  next_attributes_ = json;
  has_next_attributes_.store(true);
}

}  // namespace clara_fastio
