// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "address_space.hpp"
#include "call.hpp"
#include "device.hpp"
#include "fake_cuda.hpp"

namespace fake_cuda {
namespace {

constexpr Pointer kPage = 4096;
constexpr unsigned kKnownFlags = kRegisterPortable | kRegisterDeviceMap | kRegisterReadOnly;

std::atomic<unsigned long long> registered_bytes = 0;

struct Rights {
  bool is_readable = true;
  bool is_writable = true;
};

/// What this process may do with all of the range, as the system has it; empty if not all of it is
/// mapped.
std::optional<Rights> rights_of(Pointer begin, Pointer end) {
  std::ifstream maps("/proc/self/maps");
  Rights all;
  for (std::string line; begin < end && std::getline(maps, line);) {
    std::istringstream fields(line);
    Pointer first = 0;
    Pointer last = 0;
    char dash = 0;
    std::string rights;
    fields >> std::hex >> first >> dash >> last >> rights;
    if (last <= begin) continue;
    if (first > begin) return std::nullopt;
    all.is_readable = all.is_readable && rights[0] == 'r';
    all.is_writable = all.is_writable && rights[1] == 'w';
    begin = last;
  }
  if (begin < end) return std::nullopt;
  return all;
}

}  // namespace

Result driver::register_host(void* address, std::size_t nbytes, unsigned flags) {
  if (const Result refused = begin("cuMemHostRegister_v2", Needs::context)) return refused;
  if (attribute_of(kHostRegister) == 0) return kNotSupported;
  const Pointer first = to_device(address);
  if (address == nullptr || nbytes == 0 || (flags & ~kKnownFlags) != 0) return kInvalidValue;
  if (first % kPage != 0 || nbytes % kPage != 0) return kInvalidValue;
  const auto rights = rights_of(first, first + nbytes);
  if (!rights || !rights->is_readable) return kInvalidValue;
  const bool is_read_only = (flags & kRegisterReadOnly) != 0;
  if (is_read_only && attribute_of(kReadOnlyHostRegister) == 0) return kInvalidValue;
  if (!rights->is_writable && !is_read_only) return kInvalidValue;
  const Range range{nbytes, Place::host, !is_read_only};
  if (const Result wrong = AddressSpace::get().add_host(first, range)) return wrong;
  registered_bytes.fetch_add(nbytes);
  return kSuccess;
}

Result driver::unregister_host(void* address) {
  if (const Result refused = begin("cuMemHostUnregister", Needs::context)) return refused;
  const auto range = AddressSpace::get().remove_host(to_device(address));
  if (!range) return kNotRegistered;
  registered_bytes.fetch_sub(range->nbytes);
  return kSuccess;
}

Result driver::host_device_pointer(Pointer* pointer, void* address, unsigned flags) {
  if (const Result refused = begin("cuMemHostGetDevicePointer_v2", Needs::context)) return refused;
  if (pointer == nullptr || flags != 0) return kInvalidValue;
  if (!AddressSpace::get().is_host(to_device(address))) return kInvalidValue;
  *pointer = to_device(address);
  return kSuccess;
}

}  // namespace fake_cuda

unsigned long long fakeCudaRegisteredBytes() { return fake_cuda::registered_bytes.load(); }
