// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <span>

#include "address_space.hpp"
#include "call.hpp"
#include "device.hpp"
#include "physical_memory.hpp"

namespace fake_cuda {
namespace {

struct Mapping {
  std::size_t nbytes = 0;
  std::shared_ptr<SharedFile> file;
};

/// Reserved addresses and what is mapped in them.
struct VirtualMemory {
  std::mutex mutex;
  std::map<Pointer, std::size_t> reservations;
  std::map<Pointer, Mapping> mappings;

  static VirtualMemory& get() {
    static auto* const all = new VirtualMemory;
    return *all;
  }

  [[nodiscard]] bool is_reserved(Pointer pointer, std::size_t nbytes) const {
    auto found = reservations.upper_bound(pointer);
    if (found == reservations.begin()) return false;
    --found;
    return pointer + nbytes <= found->first + found->second;
  }

  [[nodiscard]] bool is_free(Pointer pointer, std::size_t nbytes) const {
    auto next = mappings.lower_bound(pointer);
    if (next != mappings.end() && next->first < pointer + nbytes) return false;
    return next == mappings.begin() ||
           std::prev(next)->first + std::prev(next)->second.nbytes <= pointer;
  }

  /// Whether the range is made of whole mappings, without gaps.
  [[nodiscard]] bool is_mapped(Pointer pointer, std::size_t nbytes) const {
    const Pointer end = pointer + nbytes;
    while (pointer < end) {
      const auto found = mappings.find(pointer);
      if (found == mappings.end()) return false;
      pointer += found->second.nbytes;
    }
    return pointer == end && nbytes > 0;
  }
};

int rights_of(int flags) { return flags == kReadWriteAccess ? PROT_READ | PROT_WRITE : PROT_READ; }

bool is_access(int flags) { return flags == kReadAccess || flags == kReadWriteAccess; }

bool set_rights(Pointer pointer, const Mapping& mapping, int flags) {
  const Range range{mapping.nbytes, Place::device, flags == kReadWriteAccess};
  return AddressSpace::get().add(pointer, range, [&] {
    return mapping.file->map(rights_of(flags), to_host(pointer), mapping.nbytes) != nullptr;
  });
}

/// Addresses without memory behind them, as reserved.
void take_back(Pointer pointer, std::size_t nbytes) {
  ::mmap(to_host(pointer), nbytes, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

}  // namespace

Result driver::reserve_address(Pointer* pointer, std::size_t nbytes, std::size_t alignment,
                               Pointer /*address: a wish, which may go unheard*/,
                               unsigned long long flags) {
  if (const Result refused = begin("cuMemAddressReserve", Needs::driver)) return refused;
  if (pointer == nullptr || flags != 0 || nbytes == 0 || nbytes % kGranularity != 0) {
    return kInvalidValue;
  }
  if ((alignment & (alignment - 1)) != 0) return kInvalidValue;
  if (attribute_of(kVirtualMemory) == 0) return kNotSupported;
  const std::size_t step = std::max(alignment, kGranularity);
  void* const all =
      ::mmap(nullptr, nbytes + step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) return kOutOfMemory;
  const Pointer first = to_device(all);
  const Pointer start = (first + step - 1) / step * step;
  if (start > first) ::munmap(all, start - first);
  ::munmap(to_host(start + nbytes), first + step - start);
  auto& memory = VirtualMemory::get();
  const std::lock_guard lock(memory.mutex);
  memory.reservations[start] = nbytes;
  *pointer = start;
  return kSuccess;
}

Result driver::free_address(Pointer pointer, std::size_t nbytes) {
  if (const Result refused = begin("cuMemAddressFree", Needs::driver)) return refused;
  auto& memory = VirtualMemory::get();
  const std::lock_guard lock(memory.mutex);
  const auto found = memory.reservations.find(pointer);
  if (found == memory.reservations.end() || found->second != nbytes) return kInvalidValue;
  if (!memory.is_free(pointer, nbytes)) return kInvalidValue;
  memory.reservations.erase(found);
  ::munmap(to_host(pointer), nbytes);
  return kSuccess;
}

Result driver::map_memory(Pointer pointer, std::size_t nbytes, std::size_t offset,
                          MemoryHandle handle, unsigned long long flags) {
  if (const Result refused = begin("cuMemMap", Needs::driver)) return refused;
  auto file = memory_of(handle);
  if (flags != 0 || offset != 0 || !file || nbytes == 0) return kInvalidValue;
  if (pointer % kGranularity != 0 || nbytes % kGranularity != 0) return kInvalidValue;
  auto& memory = VirtualMemory::get();
  const std::lock_guard lock(memory.mutex);
  if (nbytes > file->header().nbytes || !memory.is_reserved(pointer, nbytes)) return kInvalidValue;
  if (!memory.is_free(pointer, nbytes)) return kInvalidValue;
  memory.mappings[pointer] = {nbytes, std::move(file)};
  return kSuccess;
}

Result driver::unmap_memory(Pointer pointer, std::size_t nbytes) {
  if (const Result refused = begin("cuMemUnmap", Needs::driver)) return refused;
  auto& memory = VirtualMemory::get();
  const std::lock_guard lock(memory.mutex);
  if (!memory.is_mapped(pointer, nbytes)) return kInvalidValue;
  for (const Pointer end = pointer + nbytes; pointer < end;) {
    const auto found = memory.mappings.find(pointer);
    const std::size_t here = found->second.nbytes;
    AddressSpace::get().remove(pointer, [&] { take_back(pointer, here); });
    memory.mappings.erase(found);
    pointer += here;
  }
  return kSuccess;
}

Result driver::set_access(Pointer pointer, std::size_t nbytes, const MemoryAccess* access,
                          std::size_t count) {
  const std::span wanted(access, access == nullptr ? 0 : count);
  int flags = 0;
  for (const MemoryAccess& one : wanted) flags |= one.flags;  // All devices share one mapping here.
  const char* const variant = flags == kReadAccess ? "read" : "write";
  if (const Result refused = begin("cuMemSetAccess", Needs::driver, variant)) return refused;
  if (wanted.empty()) return kInvalidValue;
  for (const MemoryAccess& one : wanted) {
    if (one.location.type != kOnDevice || !is_access(one.flags)) return kInvalidValue;
    if (!is_device(one.location.id)) return kInvalidDevice;
  }
  auto& memory = VirtualMemory::get();
  const std::lock_guard lock(memory.mutex);
  if (!memory.is_mapped(pointer, nbytes)) return kInvalidValue;
  for (const Pointer end = pointer + nbytes; pointer < end;) {
    const Mapping& mapping = memory.mappings[pointer];
    if (!set_rights(pointer, mapping, flags)) return kOutOfMemory;
    pointer += mapping.nbytes;
  }
  return kSuccess;
}

}  // namespace fake_cuda
