// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "cuda/driver_api.hpp"

namespace clara_fastio::cuda {

/// "GPU-01234567-89ab-cdef-0123-456789abcdef".
std::string text_of(const Uuid& uuid);

/// A device as far as this process sees it, with its primary context, which is the one that cupy,
/// torch and all other users of the runtime have.
///
/// Lifetime: one object for each device of the process, never destroyed.
/// Thread safety: all members from any thread.
class Device {
 public:
  /// What the driver can do with the device. Each word that is not empty says why something does
  /// not work here; tried, where the driver's attributes are known to claim too much.
  struct Abilities {
    std::string no_vmm;                ///< memory of its own that is exported as a descriptor
    std::string no_legacy_ipc;         ///< memory handles of 64 bytes
    std::string no_timeline;           ///< stream memory operations on registered host memory
    std::string no_events;             ///< interprocess events
    std::string no_read_only;          ///< imported memory that the device may only read
    std::string no_registration;       ///< pinning of shared memory
    bool registers_read_only = false;  ///< also maps that this process may only read
    std::uint64_t granularity = 0;     ///< of memory of its own, bytes
  };

  /// Throws: `Errc::device_not_found`: no such number (the message says how many there are), or
  /// what `DriverApi::get` throws.
  static Device& of_ordinal(int ordinal);
  /// Throws: `Errc::device_not_found`; the message names the devices that this process sees and
  /// CUDA_VISIBLE_DEVICES, if that is set.
  static Device& of_uuid(const Uuid& uuid);
  /// Throws: what `DriverApi::get` throws.
  static int count();

  int ordinal() const noexcept { return ordinal_; }
  DeviceNumber number() const noexcept { return number_; }
  const Uuid& uuid() const noexcept { return uuid_; }
  const std::string& name() const noexcept { return name_; }
  std::uint64_t memory_nbytes() const noexcept { return memory_nbytes_; }
  /// Bytes that are free now.
  std::uint64_t free_nbytes();
  /// 0 where the driver does not know the attribute. Throws: `Errc::cuda`.
  int attribute(Attribute attribute) const;
  /// Tried once, at the first call that is not refused. Throws: `Errc::cuda` when the device cannot
  /// be used at all, `Errc::out_of_memory` while it is too full to try.
  const Abilities& abilities();
  /// Whether this process uses the device already, so that using it costs no new context.
  bool is_active() const noexcept;
  const DriverApi& api() const noexcept { return api_; }

 private:
  friend class CurrentContext;
  Device(const DriverApi& api, int ordinal);
  static const std::vector<Device*>& all();
  Context context();
  Abilities try_abilities();
  void try_vmm(Abilities& abilities);

  const DriverApi& api_;
  int ordinal_;
  DeviceNumber number_ = 0;
  Uuid uuid_{};
  std::string name_;
  std::uint64_t memory_nbytes_ = 0;
  struct Lazy;
  Lazy& lazy_;  ///< context and abilities, made when they are asked for
};

/// Makes a device's context the calling thread's for a scope; nothing when it is that already.
class CurrentContext {
 public:
  /// Throws: what `DriverApi::get` throws, `Errc::cuda`.
  explicit CurrentContext(Device& device);
  /// For destructors: where the context is lost, or the child of a fork, it does nothing.
  CurrentContext(Device& device, std::nothrow_t) noexcept;
  ~CurrentContext();
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  const DriverApi* api_ = nullptr;  ///< null when nothing has to be undone
};

}  // namespace clara_fastio::cuda
