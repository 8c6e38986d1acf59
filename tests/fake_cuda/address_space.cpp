// SPDX-License-Identifier: Apache-2.0
#include "address_space.hpp"

#include <algorithm>
#include <mutex>

namespace fake_cuda {

AddressSpace& AddressSpace::get() {
  static auto* const space = new AddressSpace;  // Streams use it until the process is gone.
  return *space;
}

AddressSpace::Ranges::const_iterator AddressSpace::around(Pointer address) const {
  auto found = ranges_.upper_bound(address);
  if (found == ranges_.begin()) return ranges_.end();
  --found;
  return address - found->first < found->second.nbytes ? found : ranges_.end();
}

bool AddressSpace::allows(Reach reach) const {
  while (reach.nbytes > 0) {  // Over neighbours, which may be mapped one by one.
    const auto found = around(reach.address);
    if (found == ranges_.end()) return false;
    if (reach.touch == Touch::write && !found->second.is_writable) return false;
    const Pointer end = found->first + found->second.nbytes;
    const std::size_t here = std::min<std::size_t>(reach.nbytes, end - reach.address);
    reach.address += here;
    reach.nbytes -= here;
  }
  return true;
}

bool AddressSpace::holds(Pointer address, std::size_t nbytes) {
  return touch({{address, nbytes, Touch::read}}, [] {});
}

bool AddressSpace::is_host(Pointer address) {
  const std::shared_lock lock(mutex_);
  const auto found = around(address);
  return found != ranges_.end() && found->second.place == Place::host;
}

Result AddressSpace::add_host(Pointer address, const Range& range) {
  const std::unique_lock lock(mutex_);
  auto next = around(address);
  if (next == ranges_.end()) next = ranges_.lower_bound(address);
  if (next != ranges_.end() && next->first < address + range.nbytes) {
    return next->second.place == Place::host ? kAlreadyRegistered : kInvalidValue;
  }
  ranges_[address] = range;
  return kSuccess;
}

std::optional<Range> AddressSpace::remove_host(Pointer address) {
  const std::unique_lock lock(mutex_);
  const auto found = ranges_.find(address);
  if (found == ranges_.end() || found->second.place != Place::host) return std::nullopt;
  const Range range = found->second;
  ranges_.erase(found);
  return range;
}

}  // namespace fake_cuda
