// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "clara_fastio/layout.hpp"
#include "client/connection.hpp"
#include "client/device_cache.hpp"
#include "client/device_words.hpp"
#include "client/segment_cache.hpp"

namespace clara_fastio::client {

/// Device memory of one entry in this process.
///
/// Lifetime: keeps the memory mapped and the words registered; arrays hold it through their block.
struct DeviceBlock {
  layout::DeviceRecord record;
  std::shared_ptr<cuda::DeviceSegment> segment;  ///< null when it is staged
  std::shared_ptr<DeviceWords> words;
  cuda::Pointer data = 0;  ///< 0 when it is staged
};

/// What a process has of the device memory of one context.
///
/// Thread safety: all members from any thread.
class DeviceMemory {
 public:
  struct Parts {
    Connection& connection;
    SegmentCache& segments;
    const std::uint32_t& slot;  ///< of this process; known after the greeting
    std::function<void()> check;
  };

  explicit DeviceMemory(Parts parts) : parts_(std::move(parts)) {}

  /// Makes the memory of an entry usable here, with the device that its record names.
  ///
  /// Throws: `Errc::device_not_found`, `Errc::device_ipc_unavailable`, `Errc::freed`,
  /// `Errc::peer_died` for memory that ended with its producer, `Errc::cuda`, `Errc::layout`.
  std::shared_ptr<DeviceBlock> open(const layout::DeviceRecord& record, bool writable);
  /// Makes a segment of this process and has the host keep it. `nbytes` at least.
  /// Throws: `Errc::out_of_memory`, `Errc::cuda`, what a request throws.
  void make_segment(cuda::Device& device, layout::Transport transport, layout::EntryKind kind,
                    std::uint64_t nbytes);

  /// The host says that a segment is gone: unmap it when nothing here refers to it.
  void retire(std::uint64_t segment);
  /// Unmaps what is not wanted any more. Returns whether something waits for its last array.
  bool trim();
  bool has_retired();
  /// Whether the devices have done all that this process promised.
  bool is_idle();
  /// When the host has died: takes the promises of other dead processes as kept, so that no stream
  /// waits for them. Returns whether nobody is waited for any more.
  bool settle(const std::function<bool(std::uint32_t slot)>& is_dead);
  /// Gives up everything that nothing refers to; what a device still works on stays for good.
  void clear() noexcept;

 private:
  struct Known {
    DeviceCache::Key key;
    bool must_report = false;  ///< its maker waits until everybody has unmapped it
    std::unordered_set<std::uint64_t> words = {};  ///< of the entries that were used in it here
  };

  std::shared_ptr<DeviceWords> words(cuda::Device& device, const layout::DeviceRecord& record);
  std::shared_ptr<SegmentMap> map_words(const layout::DeviceRecord& record);
  Answer request_segment(std::uint64_t segment);
  std::shared_ptr<cuda::DeviceSegment> open_segment(cuda::Device& device,
                                                    const layout::DeviceRecord& record,
                                                    bool writable);
  std::shared_ptr<cuda::DeviceSegment> import(cuda::Device& device,
                                              const layout::DeviceRecord& record,
                                              const Answer& answer, bool writable);
  void report_unmapped(std::uint64_t segment);
  bool is_unused(const Known& known);
  bool forget(const Known& known);

  const Parts parts_;
  std::mutex mutex_;
  std::map<std::uint64_t, Known> known_;                         ///< segments by their number
  std::map<std::uint64_t, std::shared_ptr<DeviceWords>> words_;  ///< by the number of their segment
  std::unordered_set<std::uint64_t> retired_;
};

}  // namespace clara_fastio::client
