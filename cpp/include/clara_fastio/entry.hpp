// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry_lock.hpp"
#include "clara_fastio/export.hpp"
#include "clara_fastio/layout.hpp"
#include "clara_fastio/shape.hpp"

namespace clara_fastio {

namespace client {
struct DeviceBlock;
struct SegmentMap;
struct Record;
}  // namespace client

namespace protocol {
struct Message;
}

class FrameWriter;

/// The bytes of an entry in this process: where its head and data are mapped.
///
/// Lifetime: keeps the map; arrays hold a block, so memory stays mapped until the last one dies.
struct Block {
  std::shared_ptr<client::SegmentMap> segment;
  layout::Location location;
  layout::Head* head = nullptr;
  std::byte* data = nullptr;                    ///< of the host; on a device, heads of frames only
  std::uint64_t capacity = 0;                   ///< bytes for the data, wherever it lies
  std::shared_ptr<client::DeviceBlock> device;  ///< null for memory of the host
};

/// What a head says, copied and checked.
struct Content {
  std::uint64_t version = 0;  ///< as in the head: odd while it is written
  Shape shape;
  std::string attributes;
  std::uint64_t committed_monotonic = 0;
  std::uint64_t committed_realtime = 0;
};

/// What this process knows of one allocation or variable; one object for all its references here.
///
/// While it lives, the process's reference bit is set and the memory cannot be recycled.
/// Lifetime: holds its context.
/// Thread safety: all members from any thread.
class CLARA_FASTIO_EXPORT Entry : public std::enable_shared_from_this<Entry> {
 public:
  Entry(std::shared_ptr<Context> context, std::uint32_t index, const client::Record& record);
  /// Private memory out of the pool: the record still says what it was before.
  Entry(std::shared_ptr<Context> context, std::uint32_t index, std::uint64_t generation,
        std::shared_ptr<Block> block, std::uint64_t nbytes);
  ~Entry();
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  Context& context() noexcept { return *context_; }
  std::uint32_t index() const noexcept { return index_; }
  std::uint64_t generation() const noexcept { return generation_.load(); }
  bool is_variable() const noexcept { return kind_ == layout::EntryKind::variable; }
  bool is_published() const noexcept { return !is_private_.load(); }
  layout::Order order() const noexcept { return order_; }
  bool is_sealed() const noexcept { return is_sealed_; }
  bool is_on_device() const noexcept { return is_on_device_; }
  bool is_pinned() const noexcept { return is_pinned_; }
  bool may_stage() const noexcept { return may_stage_; }
  /// Where its device memory is now. Zero for memory of the host.
  layout::DeviceRecord device_record();
  /// Makes that memory usable here. Throws: what `client::DeviceMemory::open` throws.
  std::shared_ptr<client::DeviceBlock> open_device(const layout::DeviceRecord& record,
                                                   bool writable);
  /// Why its memory of the host is not pinned here; empty when it is.
  std::string pin_refusal();
  /// Of a stream of frames; zero for an entry without one.
  const layout::QueueRecord& queue() const noexcept { return queue_; }
  std::string name();
  /// For messages: the name in quotes, or what it is while it has none.
  std::string label();
  ElementType element_type();
  /// As declared; of an allocation, as described.
  Shape declared_shape();

  // Allocations (allocation.cpp).
  std::uint64_t capacity();
  void describe(ElementType type, const Shape& shape);
  void publish(const std::string& name);
  void free();

  // Variables (variable.cpp).
  /// The shape of the content, or the one that the next write will have.
  Shape shape();
  void update_shape(const Shape& shape);
  /// Reserves memory for the shape. Throws: `Errc::not_allocated` while a dimension is unknown.
  void allocate();
  bool is_allocated();
  /// Whether this process is the producer, or may become it.
  bool may_write();
  bool is_producer();
  /// Committed writes.
  std::uint64_t version();
  /// Sleeps until `version` is reached or `slice` is over. Throws: `Errc::peer_died` when nobody
  /// is left who could reach it.
  bool wait_for_version(std::uint64_t version, std::chrono::nanoseconds slice);
  /// JSON that belongs to the content; the producer's own pending text comes first.
  std::string attributes();
  void set_attributes(const std::string& json);
  std::optional<Content> content();

  /// Throws: `Errc::freed` and what `Context::check` throws.
  void check();
  /// The same, for who waits: also when it was freed while this process refers to it.
  void require_live();
  EntryLock& lock() noexcept { return lock_; }
  /// Forgets what is cached of segments that are gone, so that they can be unmapped.
  void let_go(const std::unordered_set<std::uint64_t>& segments);
  void let_go_all();

 private:
  friend class Mapping;
  friend class FrameReader;
  friend class FrameWriter;

  client::Record read_record();
  std::uint64_t shared_generation() const noexcept;
  /// Whether it was freed for everybody, while this process refers to it.
  bool is_doomed() const noexcept;
  /// Throws: `Errc::freed`.
  void require_generation();
  struct Description {
    ElementType element_type;
    Shape shape;
  };
  Description description();
  /// Whether what is cached of the record still holds. Requires: `lock_.mutex()`.
  bool is_fresh() const noexcept { return record_.sequence.load() == cached_sequence_; }
  void remember(const client::Record& record);
  /// Maps the host's part; `attach_device` makes the rest of it usable.
  std::shared_ptr<Block> map_block(const layout::Location& location,
                                   const layout::DeviceRecord& device, bool writable,
                                   int descriptor);
  /// The block to read from, out of the cache when the record did not change. A look at the head
  /// needs no device.
  std::shared_ptr<Block> readable(bool needs_data = false);
  /// The block to write to, in memory that this process produces and that is large enough.
  /// Requires: the write lock, or that nothing was ever written.
  std::shared_ptr<Block> writable(std::uint64_t nbytes, std::uint32_t attributes_nbytes,
                                  bool keep_content);
  /// Asks the host for memory and prepares its head; nobody else sees it before `show`.
  std::shared_ptr<Block> produce(std::uint64_t nbytes, std::uint32_t attributes_nbytes,
                                 std::uint64_t version_before);
  /// A larger block in place of our own, with its attributes and, if wanted, its content.
  std::shared_ptr<Block> grow(const Block& before, std::uint64_t nbytes,
                              std::uint32_t attributes_nbytes, bool keep_content);
  void show(const Block& block);
  /// Makes the kernel refuse every further write to the segment, this process's too.
  void freeze(client::SegmentMap& segment);
  /// What the next write will have.
  Shape pending_shape(const Block* block);
  /// The shape in a head, copied and checked. Throws: `Errc::layout`.
  static void read_shape(const Block& block, ElementType type, const Shape& declared, Shape& shape);
  static Content read_content(const Block& block, ElementType type, bool is_variable,
                              const Shape& declared);

  // Device memory (entry_device.cpp).
  /// Bytes that stay on the host whatever the transport: the heads of frames.
  std::uint64_t heads_nbytes() const noexcept;
  /// Says which memory of which device a request for `nbytes` asks for.
  void describe_device(protocol::Message& message, std::uint64_t nbytes);
  void attach_device(Block& block, const layout::DeviceRecord& device, bool writable);

  const std::shared_ptr<Context> context_;
  const std::uint32_t index_;
  const layout::EntryRecord& record_;
  std::atomic<std::uint64_t> generation_;
  std::atomic<bool> is_private_ = false;
  layout::EntryKind kind_;
  layout::Order order_;
  bool is_sealed_ = false;
  bool is_on_device_ = false;
  bool is_pinned_ = false;
  bool may_stage_ = false;
  layout::QueueRecord queue_{};
  std::uint64_t role_hash_ = 0;
  std::uint64_t requested_ = 0;  ///< bytes that this object was created with, 0 when it was found
  EntryLock lock_;

  std::mutex slow_mutex_;              ///< one thread at a time asks the host and maps memory
  std::weak_ptr<FrameWriter> writer_;  ///< of this process; guarded by `slow_mutex_`

  // What follows is guarded by `lock_.mutex()`, which is never held over a request.
  ElementType element_type_;
  Shape declared_;
  std::uint32_t cached_sequence_ = 1;  ///< of the record; odd never matches
  bool is_mine_ = false;               ///< this process produces it
  std::shared_ptr<Block> read_block_;
  std::shared_ptr<Block> write_block_;
  std::optional<Shape> next_shape_;
  std::optional<std::string> next_attributes_;
  std::atomic<bool> has_next_attributes_ = false;
};

}  // namespace clara_fastio
