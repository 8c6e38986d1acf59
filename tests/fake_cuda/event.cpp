// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <atomic>
#include <map>
#include <mutex>

#include "address_space.hpp"
#include "call.hpp"
#include "device.hpp"
#include "fault.hpp"
#include "ipc_ticket.hpp"
#include "stream.hpp"

namespace fake_cuda {
namespace {

constexpr std::size_t kPage = 4096;
constexpr unsigned kEventBlockingSynchronize = 1;
constexpr unsigned kKnownFlags =
    kEventBlockingSynchronize | kEventDisableTiming | kEventInterprocess;

constexpr std::uint64_t kRecords = 256;

/// How many records were called for, and which of the last ones streams have come to: one by one,
/// for who waits for a record waits for that one, and a later one may be on another stream. In
/// shared memory where other processes have the event too.
struct Progress {
  std::atomic<std::uint64_t> issued = 0;
  std::atomic<std::uint64_t> completed[kRecords] = {};
};
static_assert(sizeof(Progress) <= kPage);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// An event, held by its handle and by what is queued.
struct Marker {
  std::shared_ptr<SharedFile> file;  ///< of an interprocess one
  bool is_imported = false;
  Progress own;
  Progress* progress = &own;

  Marker() = default;
  Marker(const Marker&) = delete;
  Marker& operator=(const Marker&) = delete;
  ~Marker() {
    if (progress != &own) ::munmap(progress, kPage);
  }

  /// All zeros is a new event, so that the mapping needs no construction.
  bool share(std::shared_ptr<SharedFile> shared) {
    void* const address = shared->map(PROT_READ | PROT_WRITE, nullptr, kPage);
    if (address == nullptr) return false;
    file = std::move(shared);
    progress = static_cast<Progress*>(address);
    return true;
  }

  [[nodiscard]] bool has_completed(std::uint64_t record) const {
    const auto& latest = progress->completed[record % kRecords];
    return record == 0 || latest.load(std::memory_order_acquire) >= record;
  }

  void complete(std::uint64_t record) const {
    auto& latest = progress->completed[record % kRecords];
    std::uint64_t seen = latest.load();
    while (seen < record && !latest.compare_exchange_weak(seen, record)) {
    }
  }
};

struct Events {
  std::mutex mutex;
  std::map<Event, std::shared_ptr<Marker>> markers;

  static Events& get() {
    static auto* const all = new Events;
    return *all;
  }

  Event add(std::shared_ptr<Marker> marker) {
    const std::lock_guard lock(mutex);
    const auto event = reinterpret_cast<Event>(marker.get());  // Opaque to the caller.
    markers[event] = std::move(marker);
    return event;
  }

  std::shared_ptr<Marker> find(Event event) {
    const std::lock_guard lock(mutex);
    const auto found = markers.find(event);
    return found == markers.end() ? nullptr : found->second;
  }
};

}  // namespace

Result driver::event_create(Event* event, unsigned flags) {
  if (const Result refused = begin("cuEventCreate", Needs::context)) return refused;
  const bool is_shared = (flags & kEventInterprocess) != 0;
  if (event == nullptr || (flags & ~kKnownFlags) != 0) return kInvalidValue;
  if (is_shared && (flags & kEventDisableTiming) == 0) return kInvalidValue;
  if (is_shared && attribute_of(kIpcEvents) == 0) return kNotSupported;
  auto marker = std::make_shared<Marker>();
  if (is_shared) {
    auto file = SharedFile::create({.kind = FileKind::event, .nbytes = kPage});
    if (!file || !marker->share(std::move(file))) return kOutOfMemory;
  }
  *event = Events::get().add(std::move(marker));
  return kSuccess;
}

Result driver::event_destroy(Event event) {
  if (const Result refused = begin("cuEventDestroy_v2", Needs::context)) return refused;
  auto& events = Events::get();
  const std::lock_guard lock(events.mutex);
  return events.markers.erase(event) == 1 ? kSuccess : kInvalidHandle;
}

Result driver::event_record(Event event, Stream stream) {
  if (const Result refused = begin("cuEventRecord", Needs::context)) return refused;
  const auto marker = Events::get().find(event);
  const auto queue = queue_of(stream);
  if (!marker || !queue) return kInvalidHandle;
  if (queue->is_capturing()) return kCaptureUnsupported;
  const std::uint64_t record = marker->progress->issued.fetch_add(1) + 1;
  queue->push([=] { marker->complete(record); });
  return kSuccess;
}

Result driver::event_query(Event event) {
  if (const Result refused = begin("cuEventQuery", Needs::context)) return refused;
  const auto marker = Events::get().find(event);
  if (!marker) return kInvalidHandle;
  return marker->has_completed(marker->progress->issued.load()) ? kSuccess : kNotReady;
}

Result driver::stream_wait_event(Stream stream, Event event, unsigned flags) {
  if (const Result refused = begin("cuStreamWaitEvent", Needs::context)) return refused;
  const auto marker = Events::get().find(event);
  if (!marker) return kInvalidHandle;
  if (flags != 0) return kInvalidValue;
  // The record at the moment of the call; one that is issued later does not count.
  const std::uint64_t record = marker->progress->issued.load();
  return enqueue(stream, [=] {
    Backoff backoff;
    while (!is_stopped() && !marker->has_completed(record)) backoff.sleep();
  });
}

Result driver::ipc_event_handle(IpcHandle* handle, Event event) {
  if (const Result refused = begin("cuIpcGetEventHandle", Needs::context)) return refused;
  const auto marker = Events::get().find(event);
  if (handle == nullptr) return kInvalidValue;
  if (!marker || !marker->file || marker->is_imported) return kInvalidHandle;
  *handle = ticket_for(*marker->file);
  return kSuccess;
}

Result driver::ipc_open_event(Event* event, IpcHandle handle) {
  if (const Result refused = begin("cuIpcOpenEventHandle", Needs::context)) return refused;
  if (event == nullptr) return kInvalidValue;
  std::shared_ptr<SharedFile> file;
  if (const Result wrong = open_ticket(handle, FileKind::event, &file)) return wrong;
  auto marker = std::make_shared<Marker>();
  marker->is_imported = true;
  if (!marker->share(std::move(file))) return kOutOfMemory;
  *event = Events::get().add(std::move(marker));
  return kSuccess;
}

}  // namespace fake_cuda
