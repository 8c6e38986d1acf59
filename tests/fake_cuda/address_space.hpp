// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "abi.hpp"

namespace fake_cuda {

enum class Place { device, host };
enum class Touch { read, write };

/// What an operation is about to touch.
struct Reach {
  Pointer address = 0;
  std::size_t nbytes = 0;
  Touch touch = Touch::read;
};

struct Range {
  std::size_t nbytes = 0;
  Place place = Place::device;
  bool is_writable = true;
};

/// What kernels of this process can reach: device memory that is mapped, and registered host
/// memory.
///
/// Thread safety: any thread. Operations touch memory under the shared lock, mappings change under
/// the exclusive one, so that a kernel which comes too late is a fault and not a crash.
class AddressSpace {
 public:
  static AddressSpace& get();

  /// Makes the range reachable once `map()` succeeded; an older one at this address is replaced.
  template <class Map>
  bool add(Pointer address, const Range& range, Map map) {
    const std::unique_lock lock(mutex_);
    if (!map()) return false;
    ranges_[address] = range;
    return true;
  }

  template <class Unmap>
  void remove(Pointer address, Unmap unmap) {
    const std::unique_lock lock(mutex_);
    ranges_.erase(address);
    unmap();
  }

  /// Adds host memory that is not registered yet.
  Result add_host(Pointer address, const Range& range);
  /// Takes back host memory that begins there; empty if there is none.
  std::optional<Range> remove_host(Pointer address);

  bool holds(Pointer address, std::size_t nbytes);
  bool is_host(Pointer address);

  /// Runs `body` if all of that may be touched; false if not.
  template <class Body>
  bool touch(std::initializer_list<Reach> reached, Body body) {
    const std::shared_lock lock(mutex_);
    for (const Reach& one : reached) {
      if (!allows(one)) return false;
    }
    body();
    return true;
  }

 private:
  using Ranges = std::map<Pointer, Range>;

  [[nodiscard]] Ranges::const_iterator around(Pointer address) const;
  [[nodiscard]] bool allows(Reach reach) const;

  std::shared_mutex mutex_;
  Ranges ranges_;
};

/// The address as this process uses it: device addresses of the fake are its own.
inline void* to_host(Pointer address) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
}
inline Pointer to_device(const void* address) {
  return static_cast<Pointer>(reinterpret_cast<std::uintptr_t>(address));
}

}  // namespace fake_cuda
