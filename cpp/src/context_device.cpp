// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "client/device_access.hpp"
#include "client/device_choice.hpp"
#include "client/state.hpp"
#include "cuda/sync.hpp"

namespace clara_fastio {
namespace {

using layout::EntryKind;
using layout::Transport;
using protocol::Message;
using protocol::Operation;
using namespace std::chrono_literals;

/// Pauses between the tries to get memory of a device that is full.
constexpr std::chrono::milliseconds kTimeToGiveBack[] = {0ms, 20ms, 50ms, 100ms, 300ms, 600ms};

cuda::Device& device_of(const Message& message) {
  cuda::Uuid uuid{};
  std::memcpy(uuid.bytes, message.device.device.bytes, sizeof(uuid.bytes));
  return cuda::Device::of_uuid(uuid);
}

}  // namespace

client::Answer Context::request_device_memory(Message message, EntryKind kind) {
  cuda::Device& device = device_of(message);
  const Transport transport = message.device.transport;
  const std::uint64_t enough = layout::device_block_nbytes(message.device.location.capacity);
  std::uint64_t nbytes = std::max(enough, layout::kDeviceArenaBytes);
  std::exception_ptr full;
  for (const std::chrono::milliseconds pause : kTimeToGiveBack) {
    client::Answer answer = request_memory(message);
    if ((answer.message.flags & protocol::kNeedsSegment) == 0) return answer;
    try {
      state_->devices.make_segment(device, transport, kind, nbytes);
      answer = request_memory(message);
      if ((answer.message.flags & protocol::kNeedsSegment) == 0) return answer;
    } catch (const Error& error) {
      if (error.code() != Errc::out_of_memory) throw;
      full = std::current_exception();
      nbytes = enough;
    }
    // The host gives back what is kept warm, as soon as no device works on it any more, and a
    // thread here unmaps it when it hears of that.
    message.flags |= protocol::kIsScarce;
    std::this_thread::sleep_for(pause);
    state_->devices.trim();
  }
  if (full) std::rethrow_exception(full);
  throw Error(Errc::layout, "the host does not take the device memory that it asked for");
}

/// Has the device clear private memory, before anybody else knows of it.
void Context::clear_on_device(const std::shared_ptr<Block>& block, std::uint64_t nbytes) {
  client::DeviceAccess access;
  const auto used = access.begin(block, {0, 0, nbytes}, client::DeviceAccess::Kind::write, nullptr);
  cuda::Device& device = block->device->words->device();
  {
    const cuda::CurrentContext current(device);
    cuda::require(device.api(), device.api().fill(used->device->data, 0, nbytes, nullptr),
                  "cuMemsetD8Async");
  }
  access.end(true);
}

void Context::tidy_devices() noexcept {
  if (state_->watcher && client::DeviceCache::get().is_over()) state_->watcher->wake();
}

void Context::open_devices() noexcept {
  for (std::uint32_t index = 0; index < state_->tables->high_water(); ++index) {
    try {
      const client::Record record = state_->tables->read(index);
      const bool has_memory = record.state == layout::EntryState::live &&
                              record.device.memory == layout::Memory::device &&
                              record.location.segment != 0;
      if (has_memory) (void)state_->devices.open(record.device, false);
    } catch (const std::exception&) {
      // Who maps it is told why.
    }
  }
}

std::shared_ptr<Entry> Context::create_on_device(std::uint64_t nbytes,
                                                 const DeviceOptions& options) {
  check();
  cuda::Device& device = client::chosen_device(options.device, {});
  const Transport transport = cuda::choose_transport(device, options.may_stage).kind;
  Message message;
  message.operation = Operation::create;
  message.device.memory = layout::Memory::device;
  message.device.transport = transport;
  message.device.words = 1;
  std::memcpy(message.device.device.bytes, device.uuid().bytes, sizeof(device.uuid().bytes));
  if (transport == Transport::staged) {
    message.nbytes = nbytes;
  } else {
    message.device.location.capacity = nbytes;
  }
  std::unique_lock memory_lock(state_->memory_mutex);
  const client::Answer answer = request_device_memory(message, EntryKind::allocation);
  auto block = map_created(answer);
  client::require_inside(answer.message.device);
  block->device = state_->devices.open(answer.message.device, true);
  if (transport != Transport::staged) {
    block->capacity = answer.message.device.location.capacity;
  }
  memory_lock.unlock();
  if (options.zero) clear_on_device(block, nbytes);
  return std::make_shared<Entry>(shared_from_this(), answer.message.index,
                                 answer.message.generation, std::move(block), nbytes);
}

}  // namespace clara_fastio
