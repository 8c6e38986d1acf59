// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "clara_fastio/device_layout.hpp"
#include "cuda/device.hpp"
#include "posix/unique_fd.hpp"

namespace clara_fastio::cuda {

using layout::Transport;

/// Device memory in the address space of this process: made here, or imported.
///
/// Lifetime: the range stays valid as long as the object; what uses it on the device must have
/// finished before. In a forked child its end does nothing.
/// Thread safety: immutable.
class DeviceSegment {
 public:
  /// Makes memory that other processes can import. `nbytes` is rounded up to what the driver
  /// deals in.
  ///
  /// Requires: `Transport::vmm` or `legacy`.
  /// Throws: `Errc::out_of_memory` with what is free, `Errc::cuda`.
  static std::shared_ptr<DeviceSegment> create(Device& device, Transport transport,
                                               std::uint64_t nbytes);
  /// Maps what another process made. Of the exporting process itself it makes another mapping with
  /// `vmm`, and is refused by the driver with `legacy`.
  ///
  /// With `read_only` the device itself refuses writes where it can; see `is_read_only()`. The
  /// descriptor stays the caller's. The size behind a handle of `legacy` cannot be asked for.
  /// Throws: `Errc::device_ipc_unavailable` with the driver's refusal, `Errc::layout` when the
  /// memory is smaller than `nbytes` or belongs to another device, `Errc::cuda` when the device
  /// cannot be used at all, `Errc::out_of_memory`.
  static std::shared_ptr<DeviceSegment> import(Device& device, int descriptor, std::uint64_t nbytes,
                                               bool read_only);
  static std::shared_ptr<DeviceSegment> import(Device& device, const IpcHandle& handle,
                                               std::uint64_t nbytes);
  ~DeviceSegment();
  DeviceSegment(const DeviceSegment&) = delete;
  DeviceSegment& operator=(const DeviceSegment&) = delete;

  /// A new descriptor of memory that was created here with `vmm`, closed on exec.
  posix::UniqueFd export_descriptor() const;
  /// The handle of memory that was created here with `legacy`.
  IpcHandle export_handle() const;

  Device& device() const noexcept { return device_; }
  Transport transport() const noexcept { return transport_; }
  Pointer pointer() const noexcept { return pointer_; }
  std::uint64_t nbytes() const noexcept { return nbytes_; }
  bool is_imported() const noexcept { return is_imported_; }
  /// Whether the device refuses writes through this mapping.
  bool is_read_only() const noexcept { return is_read_only_; }

 private:
  friend class Device;  // Tries imports, and tells why one is not read-only.
  DeviceSegment(Device& device, Transport transport, std::uint64_t nbytes);
  void make_mapped();
  void make_legacy();
  void import_mapped(int descriptor, bool read_only);
  void import_legacy(const IpcHandle& handle);
  void map(bool read_only);
  Result allow(int access);

  Device& device_;
  const Transport transport_;
  std::uint64_t nbytes_;
  Pointer pointer_ = 0;
  MemoryHandle handle_ =
      0;  ///< of what was made here; of what is imported, only until it is mapped
  bool is_imported_ = false;
  bool is_mapped_ = false;
  bool is_read_only_ = false;
  Result read_only_result_ = kSuccess;  ///< what the driver said to reading alone, if it was asked
  std::uint64_t fork_generation_;
};

}  // namespace clara_fastio::cuda
