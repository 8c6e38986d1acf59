// SPDX-License-Identifier: Apache-2.0
#include "client/device_words.hpp"

#include <utility>

#include "settling.hpp"

namespace clara_fastio::client {

DeviceWords::DeviceWords(cuda::Device& device, Parts parts)
    : device_(device),
      parts_(std::move(parts)),
      sync_(cuda::choose_sync(device)),
      timelines_(parts_.count) {
  if (device.abilities().no_registration.empty()) {
    registration_ = cuda::Registration::of(device, parts_.map->map.data(), parts_.map->map.size(),
                                           /*read_only=*/false);
  }
}

cuda::Timeline& DeviceWords::timeline(std::uint32_t index) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<cuda::Timeline>& one = timelines_.at(index);
  if (!one) {
    one = std::make_unique<cuda::Timeline>(cuda::Timeline::Parts{
        device_, at(index), parts_.slot, sync_.kind, registration_, parts_.check});
  }
  return *one;
}

layout::DeviceWords& DeviceWords::at(std::uint32_t index) const noexcept {
  return reinterpret_cast<layout::DeviceWords*>(parts_.map->map.data())[index];
}

bool DeviceWords::settle(const std::function<bool(std::uint32_t slot)>& is_dead) noexcept {
  bool are_kept = true;
  for (std::uint32_t i = 0; i < parts_.count; ++i) {
    layout::DeviceWords& words = at(i);
    for (std::uint32_t slot = 0; slot < layout::kDeviceReaders; ++slot) {
      if (slot == parts_.slot || !settling::is_waited_for(words, slot)) continue;
      are_kept = is_dead(slot) && settling::settle(words, slot) && are_kept;
    }
  }
  return are_kept;
}

bool DeviceWords::is_idle() {
  const std::lock_guard lock(mutex_);
  for (const auto& one : timelines_) {
    if (one && !one->is_idle()) return false;
  }
  return true;
}

std::shared_ptr<cuda::DeviceSegment> DeviceWords::stage(std::uint64_t nbytes) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<cuda::DeviceSegment> found;
  // Of those that are free one is enough, and one that is too small is of no use any more.
  std::erase_if(stages_, [&](const Stage& one) {
    if (!one.is_free()) return false;
    if (found || one.segment->nbytes() < nbytes) return true;
    found = one.segment;
    return false;
  });
  if (found) return found;
  stages_.push_back({cuda::DeviceSegment::create(device_, layout::Transport::legacy, nbytes)});
  return stages_.back().segment;
}

void DeviceWords::end_stage(const cuda::DeviceSegment& stage, const cuda::Word& promise) {
  const std::lock_guard lock(mutex_);
  for (Stage& one : stages_) {
    if (one.segment.get() != &stage) continue;
    one.word = &promise.reached;
    one.value = promise.promised();
  }
}

}  // namespace clara_fastio::client
