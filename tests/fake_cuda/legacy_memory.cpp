// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "address_space.hpp"
#include "call.hpp"
#include "context.hpp"
#include "device.hpp"
#include "ipc_ticket.hpp"
#include "physical_memory.hpp"

namespace fake_cuda {
namespace {

constexpr std::size_t kPage = 4096;

struct Block {
  std::shared_ptr<SharedFile> file;
  unsigned opened = 0;  ///< how often, if it is another process's
  IpcHandle handle{};   ///< with which it was opened
};

/// Memory of cuMemAlloc, and that of other processes, opened here.
struct LegacyMemory {
  std::mutex mutex;
  std::map<Pointer, Block> allocated;
  std::map<Pointer, Block> imported;

  static LegacyMemory& get() {
    static auto* const all = new LegacyMemory;
    return *all;
  }

  /// Any address inside names the block, as with the real driver.
  [[nodiscard]] const Block* find_allocated(Pointer pointer) const {
    auto found = allocated.upper_bound(pointer);
    if (found == allocated.begin()) return nullptr;
    --found;
    const Block& block = found->second;
    return pointer - found->first < block.file->header().nbytes ? &block : nullptr;
  }
};

Pointer map_block(const SharedFile& file) {
  void* const address = file.map(PROT_READ | PROT_WRITE, nullptr, file.header().nbytes);
  if (address == nullptr) return 0;
  const Range range{file.header().nbytes, Place::device, true};
  AddressSpace::get().add(to_device(address), range, [] { return true; });
  return to_device(address);
}

void unmap_block(Pointer pointer, const SharedFile& file) {
  AddressSpace::get().remove(pointer, [&] { ::munmap(to_host(pointer), file.header().nbytes); });
}

bool is_same(const IpcHandle& one, const IpcHandle& other) {
  return std::equal(std::begin(one.bytes), std::end(one.bytes), std::begin(other.bytes));
}

}  // namespace

Result driver::allocate(Pointer* pointer, std::size_t nbytes) {
  if (const Result refused = begin("cuMemAlloc_v2", Needs::context)) return refused;
  if (pointer == nullptr || nbytes == 0) return kInvalidValue;
  const int physical = physical_of(current_device());
  if (nbytes > free_bytes(physical)) return kOutOfMemory;
  const std::size_t whole = (nbytes + kPage - 1) / kPage * kPage;
  auto file =
      SharedFile::create({.kind = FileKind::allocation, .device = physical, .nbytes = whole});
  const Pointer address = file ? map_block(*file) : 0;
  if (address == 0) return kOutOfMemory;
  auto& memory = LegacyMemory::get();
  const std::lock_guard lock(memory.mutex);
  memory.allocated[address].file = std::move(file);
  *pointer = address;
  return kSuccess;
}

/// The real one waits for the device first; here a kernel that still runs becomes a fault, so that
/// nobody relies on it.
Result driver::free(Pointer pointer) {
  if (const Result refused = begin("cuMemFree_v2", Needs::context)) return refused;
  if (pointer == 0) return kSuccess;
  auto& memory = LegacyMemory::get();
  const std::lock_guard lock(memory.mutex);
  const auto found = memory.allocated.find(pointer);
  if (found == memory.allocated.end()) return kInvalidValue;
  unmap_block(pointer, *found->second.file);
  memory.allocated.erase(found);
  return kSuccess;
}

Result driver::ipc_memory_handle(IpcHandle* handle, Pointer pointer) {
  if (const Result refused = begin("cuIpcGetMemHandle", Needs::context)) return refused;
  if (handle == nullptr) return kInvalidValue;
  auto& memory = LegacyMemory::get();
  const std::lock_guard lock(memory.mutex);
  const Block* const block = memory.find_allocated(pointer);
  if (block == nullptr) return kInvalidValue;
  *handle = ticket_for(*block->file);
  return kSuccess;
}

Result driver::ipc_open_memory(Pointer* pointer, IpcHandle handle, unsigned flags) {
  if (const Result refused = begin("cuIpcOpenMemHandle_v2", Needs::context)) return refused;
  if (pointer == nullptr || flags != kIpcLazyPeerAccess) return kInvalidValue;
  auto& memory = LegacyMemory::get();
  const std::lock_guard lock(memory.mutex);
  Block opened;
  if (const Result wrong = open_ticket(handle, FileKind::allocation, &opened.file)) return wrong;
  if (!device_of(opened.file->header().device)) return kInvalidDevice;
  for (auto& [address, block] : memory.imported) {
    if (!is_same(block.handle, handle)) continue;
    ++block.opened;
    *pointer = address;
    return kSuccess;
  }
  const Pointer address = map_block(*opened.file);
  if (address == 0) return kOutOfMemory;
  opened.opened = 1;
  opened.handle = handle;
  memory.imported[address] = std::move(opened);
  *pointer = address;
  return kSuccess;
}

Result driver::ipc_close_memory(Pointer pointer) {
  if (const Result refused = begin("cuIpcCloseMemHandle", Needs::context)) return refused;
  auto& memory = LegacyMemory::get();
  const std::lock_guard lock(memory.mutex);
  const auto found = memory.imported.find(pointer);
  if (found == memory.imported.end()) return kInvalidValue;
  if (--found->second.opened > 0) return kSuccess;
  unmap_block(pointer, *found->second.file);
  memory.imported.erase(found);
  return kSuccess;
}

}  // namespace fake_cuda
