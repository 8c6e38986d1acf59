// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clara_fastio/device_layout.hpp"
#include "clara_fastio/export.hpp"

namespace clara_fastio {

class Entry;

/// A device as this process sees it, for people. A word that is not empty says why something does
/// not work with it.
struct DeviceInfo {
  int ordinal = 0;
  std::string uuid;
  std::string name;
  std::uint64_t memory_nbytes = 0;
  std::uint64_t free_nbytes = 0;
  int compute_capability = 0;  ///< 90 is 9.0
  std::uint64_t granularity = 0;
  std::string no_vmm;
  std::string no_legacy_ipc;
  std::string no_timeline;
  std::string no_events;
  std::string no_read_only;
  std::string no_registration;
  bool registers_read_only = false;
};

/// What this process has of the driver.
struct DriverInfo {
  std::string library;
  int version = 0;      ///< 12040 is 12.4
  std::string refusal;  ///< why there is none; then the rest is empty
  std::uint64_t opens = 0;
  std::uint64_t mapped_nbytes = 0;
  std::uint64_t evicted = 0;
};

/// How the device memory of an entry comes to this process.
struct TransportInfo {
  std::string memory;         ///< "vmm", "legacy", "host" or "none" while there is none
  std::string refusals;       ///< why no better one, empty for the best
  std::string order;          ///< "timeline", "events" or "synchronize"
  std::string no_better;      ///< why no better order, empty for the best
  bool is_own = false;        ///< this process made it: nothing had to be opened
  bool is_read_only = false;  ///< the device itself refuses writes of read maps
  std::string uuid;
};

/// Whether this process has loaded the driver through this library.
CLARA_FASTIO_EXPORT bool is_driver_loaded() noexcept;
/// Loads the driver. Never throws for a driver that is missing.
CLARA_FASTIO_EXPORT DriverInfo driver_info();
/// Throws: `Errc::device_not_found`, `Errc::cuda`.
CLARA_FASTIO_EXPORT std::vector<DeviceInfo> devices();
/// Throws: `Errc::device_not_found`.
CLARA_FASTIO_EXPORT layout::DeviceId device_id(int ordinal);
/// Of "GPU-01234567-...", which need not be a device that this process sees.
/// Throws: `Errc::invalid_argument`.
CLARA_FASTIO_EXPORT layout::DeviceId device_id(const std::string& uuid);
CLARA_FASTIO_EXPORT std::string uuid_text(const layout::DeviceId& device);
/// Its number in this process. Throws: `Errc::device_not_found`.
CLARA_FASTIO_EXPORT int ordinal_of(const layout::DeviceId& device);
/// Throws: what opening the memory here throws.
CLARA_FASTIO_EXPORT TransportInfo transport_info(Entry& entry);
/// Why the host memory of an entry is not pinned in this process; empty when it is.
CLARA_FASTIO_EXPORT std::string pin_refusal(Entry& entry);
/// Bytes of other processes' device memory that stay mapped though nothing refers to them.
CLARA_FASTIO_EXPORT void set_device_cache_limit(std::uint64_t nbytes);

}  // namespace clara_fastio
