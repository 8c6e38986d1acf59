// SPDX-License-Identifier: Apache-2.0
#include "client/device_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "clara_fastio/error.hpp"
#include "kill_points.hpp"
#include "posix/memfd.hpp"
#include "posix/random.hpp"

namespace clara_fastio::client {
namespace {

using layout::DeviceRecord;
using layout::Transport;
using protocol::Message;
using protocol::Operation;

cuda::Uuid uuid_of(const layout::DeviceId& device) {
  cuda::Uuid uuid{};
  std::memcpy(uuid.bytes, device.bytes, sizeof(uuid.bytes));
  return uuid;
}

DeviceCache::Key key_of(const protocol::DeviceIdentity& identity, std::uint64_t segment,
                        const layout::DeviceId& device, bool is_read_only) {
  DeviceCache::Key key{};
  std::copy_n(identity.token, key.token.size(), key.token.begin());
  key.generation = segment;
  std::copy_n(device.bytes, key.device.size(), key.device.begin());
  key.is_read_only = is_read_only;
  return key;
}

}  // namespace

std::shared_ptr<DeviceBlock> DeviceMemory::open(const DeviceRecord& record, bool writable) {
  cuda::Device& device = cuda::Device::of_uuid(uuid_of(record.device));
  auto block = std::make_shared<DeviceBlock>();
  block->record = record;
  block->words = words(device, record);
  if (record.transport == Transport::staged) return block;
  const layout::DeviceLocation& location = record.location;
  block->segment = open_segment(device, record, writable);
  {
    const std::lock_guard lock(mutex_);
    known_[location.segment].words.insert(record.words_segment);
  }
  if (location.offset + location.capacity > block->segment->nbytes()) {
    throw Error(Errc::layout, "the device memory of the entry lies outside its segment");
  }
  block->data = block->segment->pointer() + location.offset;
  return block;
}

void DeviceMemory::make_segment(cuda::Device& device, Transport transport, layout::EntryKind kind,
                                std::uint64_t nbytes) {
  auto segment = cuda::DeviceSegment::create(device, transport, nbytes);
  CLARA_FASTIO_KILL_POINT("device.made");
  Message message;
  message.operation = Operation::add_segment;
  message.generation = static_cast<std::uint64_t>(kind);
  message.device.memory = layout::Memory::device;
  message.device.transport = transport;
  std::memcpy(message.device.device.bytes, device.uuid().bytes, 16);
  message.device.location.segment_nbytes = segment->nbytes();
  posix::fill_random(message.identity.token, sizeof(message.identity.token));
  message.identity.pid = getpid();
  posix::UniqueFd descriptor;
  if (transport == Transport::vmm) {
    descriptor = segment->export_descriptor();
  } else {
    const cuda::IpcHandle handle = segment->export_handle();
    std::memcpy(message.identity.handle, handle.bytes, sizeof(handle.bytes));
  }
  CLARA_FASTIO_KILL_POINT("device.exported");
  const int fd = descriptor ? descriptor.get() : -1;
  const Message answer = parts_.connection.request(message, fd).message;
  const std::uint64_t id = answer.device.location.segment;
  const auto key = key_of(message.identity, id, message.device.device, false);
  DeviceCache::get().add_own(key, this, std::move(segment));
  const std::lock_guard lock(mutex_);
  known_[id].key = key;
}

std::shared_ptr<DeviceWords> DeviceMemory::words(cuda::Device& device, const DeviceRecord& record) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<DeviceWords>& known = words_[record.words_segment];
  if (!known) {
    try {
      known = std::make_shared<DeviceWords>(
          device, DeviceWords::Parts{map_words(record), record.words, parts_.slot, parts_.check});
    } catch (...) {
      words_.erase(record.words_segment);
      throw;
    }
  }
  return known;
}

std::shared_ptr<SegmentMap> DeviceMemory::map_words(const DeviceRecord& record) {
  const std::uint64_t id = record.words_segment;
  const std::uint64_t nbytes = record.words * sizeof(layout::DeviceWords);
  if (auto map = parts_.segments.find(id, posix::Access::read_write)) return map;
  const Answer answer = request_segment(id);
  if (answer.fds.empty()) throw Error(Errc::layout, "the host sent no descriptor");
  const int fd = answer.fds[0].get();
  // Without these seals a peer could make a read end in SIGBUS.
  const int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
  if ((posix::seals(fd) & wanted) != wanted || posix::size_of(fd) < nbytes) {
    throw Error(Errc::seal, "the words of the device memory are not sealed as they must be");
  }
  return parts_.segments.add(id, posix::Access::read_write,
                             posix::Map::of(fd, 0, nbytes, posix::Access::read_write,
                                            /*populate=*/true, /*inherit_on_fork=*/false));
}

Answer DeviceMemory::request_segment(std::uint64_t segment) {
  Message message;
  message.operation = Operation::open_segment;
  message.location.segment = segment;
  return parts_.connection.request(message);
}

std::shared_ptr<cuda::DeviceSegment> DeviceMemory::open_segment(cuda::Device& device,
                                                                const DeviceRecord& record,
                                                                bool writable) {
  const std::uint64_t id = record.location.segment;
  DeviceCache& cache = DeviceCache::get();
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(id);
    if (known != known_.end()) {
      DeviceCache::Key key = known->second.key;
      key.is_read_only = !writable;
      return cache.find_or_open(
          key, this, [&] { return import(device, record, request_segment(id), writable); });
    }
  }
  const Answer answer = request_segment(id);
  const auto key = key_of(answer.message.identity, id, record.device, !writable);
  std::shared_ptr<cuda::DeviceSegment> segment;
  try {
    segment =
        cache.find_or_open(key, this, [&] { return import(device, record, answer, writable); });
  } catch (const Error&) {
    // The host counts us among those who have it, and its maker would wait for us.
    if (record.transport == Transport::legacy) report_unmapped(id);
    throw;
  }
  const std::lock_guard lock(mutex_);
  known_[id].key = key;
  known_[id].must_report = record.transport == Transport::legacy && segment->is_imported();
  return segment;
}

std::shared_ptr<cuda::DeviceSegment> DeviceMemory::import(cuda::Device& device,
                                                          const DeviceRecord& record,
                                                          const Answer& answer, bool writable) {
  const std::uint64_t nbytes = record.location.segment_nbytes;
  if (record.transport == Transport::vmm) {
    if (answer.fds.empty()) throw Error(Errc::layout, "the host sent no descriptor");
    return cuda::DeviceSegment::import(device, answer.fds[0].get(), nbytes, !writable);
  }
  const protocol::DeviceIdentity& identity = answer.message.identity;
  // Two containers have a process of each number, and the driver takes them for one.
  if (identity.pid == getpid()) {
    throw Error(Errc::device_ipc_unavailable,
                "legacy: the process that made the memory has the number " +
                    std::to_string(identity.pid) +
                    " in its own PID namespace, as this one has, and the driver takes both for "
                    "one; start one of the containers with --pid=host or another process as its "
                    "first");
  }
  cuda::IpcHandle handle{};
  std::memcpy(handle.bytes, identity.handle, sizeof(handle.bytes));
  return cuda::DeviceSegment::import(device, handle, nbytes);
}

void DeviceMemory::retire(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  if (known_.contains(segment) || words_.contains(segment)) retired_.insert(segment);
}

bool DeviceMemory::has_retired() {
  const std::lock_guard lock(mutex_);
  return !retired_.empty();
}

bool DeviceMemory::trim() {
  std::vector<std::uint64_t> unmapped;
  std::vector<std::shared_ptr<DeviceWords>> gone;  // Unregistered after the lock is given back.
  bool is_waiting = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = retired_.begin(); at != retired_.end();) {
      const auto known = known_.find(*at);
      const auto words = words_.find(*at);
      bool is_gone = true;
      if (known != known_.end()) {
        is_gone = is_unused(known->second) && forget(known->second);
        if (is_gone && known->second.must_report) unmapped.push_back(*at);
        if (is_gone) known_.erase(known);
      } else if (words != words_.end()) {
        is_gone = words->second.use_count() == 1 && words->second->is_idle();
        if (is_gone) {
          gone.push_back(std::move(words->second));
          words_.erase(words);
        }
      }
      is_waiting = is_waiting || !is_gone;
      at = is_gone ? retired_.erase(at) : std::next(at);
    }
  }
  for (const std::uint64_t segment : unmapped) report_unmapped(segment);
  if (is_idle()) DeviceCache::get().trim(this);
  return is_waiting;
}

/// Whether no work of this process is under way in the segment. Requires: the mutex.
bool DeviceMemory::is_unused(const Known& known) {
  return std::all_of(known.words.begin(), known.words.end(), [this](std::uint64_t id) {
    const auto words = words_.find(id);
    return words == words_.end() || words->second->is_idle();
  });
}

/// Returns whether nothing here refers to it any more.
bool DeviceMemory::forget(const Known& known) {
  DeviceCache::Key key = known.key;
  bool is_gone = true;
  for (const bool is_read_only : {false, true}) {
    key.is_read_only = is_read_only;
    is_gone = DeviceCache::get().forget(key, this) && is_gone;
  }
  return is_gone;
}

void DeviceMemory::report_unmapped(std::uint64_t segment) {
  Message message;
  message.operation = Operation::unmapped;
  message.location.segment = segment;
  try {
    parts_.connection.request(message);
  } catch (const Error&) {
    // The host is gone, or knows already.
  }
}

bool DeviceMemory::is_idle() {
  const std::lock_guard lock(mutex_);
  return std::all_of(words_.begin(), words_.end(),
                     [](const auto& one) { return one.second->is_idle(); });
}

bool DeviceMemory::settle(const std::function<bool(std::uint32_t slot)>& is_dead) {
  const std::lock_guard lock(mutex_);
  bool are_kept = true;
  for (const auto& [id, words] : words_) are_kept = words->settle(is_dead) && are_kept;
  return are_kept;
}

void DeviceMemory::clear() noexcept {
  const bool is_safe = is_idle();
  const std::lock_guard lock(mutex_);
  if (!is_safe) {
    // A device that still works on them would fail for good: they stay until the process ends.
    static auto* leaked = new std::vector<std::shared_ptr<DeviceWords>>;
    for (auto& [id, words] : words_) leaked->push_back(std::move(words));
  } else {
    for (const auto& [id, known] : known_) (void)forget(known);
  }
  known_.clear();
  words_.clear();
  retired_.clear();
}

}  // namespace clara_fastio::client
