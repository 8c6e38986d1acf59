// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <cstring>
#include <string>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/ring_layout.hpp"
#include "client/device_choice.hpp"
#include "client/state.hpp"
#include "cuda/sync.hpp"

namespace clara_fastio {

using layout::Transport;

layout::DeviceRecord Entry::device_record() { return read_record().device; }

std::shared_ptr<client::DeviceBlock> Entry::open_device(const layout::DeviceRecord& record,
                                                        bool writable) {
  return context_->state().devices.open(record, writable);
}

std::string Entry::pin_refusal() {
  const std::lock_guard lock(lock_.mutex());
  const auto& block = write_block_ ? write_block_ : read_block_;
  return block ? block->segment->pin.refusal() : "it was not mapped yet in this process";
}

std::uint64_t Entry::heads_nbytes() const noexcept {
  if (queue_.slots == 0) return 0;
  return layout::SlotPlan::of(queue_.slots, queue_.slot_nbytes, is_on_device_).first;
}

void Entry::describe_device(protocol::Message& message, std::uint64_t nbytes) {
  const layout::DeviceRecord record = device_record();
  cuda::Device& device = client::chosen_device(record.device, name());
  const Transport transport = cuda::choose_transport(device, may_stage_).kind;
  message.device.memory = layout::Memory::device;
  message.device.transport = transport;
  std::memcpy(message.device.device.bytes, device.uuid().bytes, sizeof(device.uuid().bytes));
  // They never have to grow: a change in place needs no new memory on the device then.
  message.attributes_capacity = layout::kMaxAttributeBytes;
  if (transport == Transport::staged) return;
  message.nbytes = heads_nbytes();
  message.device.location.capacity = std::max<std::uint64_t>(nbytes - message.nbytes, 1);
}

void Entry::attach_device(Block& block, const layout::DeviceRecord& device, bool writable) {
  block.device = open_device(device, writable);
  context_->tidy_devices();
  if (!block.device->segment) {
    // Copies to and from memory that is not pinned take several times as long.
    block.segment->pin.try_on(block.segment->map, block.segment->access,
                              block.device->words->device());
    return;
  }
  block.device->data -= heads_nbytes();
}

}  // namespace clara_fastio
