// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/segment_cache.hpp"
#include "cuda/device_segment.hpp"
#include "cuda/timeline.hpp"

namespace clara_fastio::client {

/// The words of an entry on a device in this process: a timeline for each slot of frames, or one.
///
/// Kept until the words are retired, for the device may still write them when no object of the
/// entry is left.
/// Thread safety: all members from any thread.
class DeviceWords {
 public:
  struct Parts {
    std::shared_ptr<SegmentMap> map;
    std::uint32_t count;
    std::uint32_t slot;  ///< of this process
    std::function<void()> check;
  };

  /// Throws: `Errc::cuda` when the environment asks for what does not work.
  DeviceWords(cuda::Device& device, Parts parts);

  cuda::Timeline& timeline(std::uint32_t index);
  cuda::Device& device() const noexcept { return device_; }
  cuda::Sync sync() const noexcept { return sync_.kind; }
  /// Why nothing better tells the order, empty for the best.
  const std::string& refusals() const noexcept { return sync_.refusals; }
  /// Whether the devices have done all that this process promised.
  bool is_idle();

  /// Takes the promises of dead processes as kept, when no host is left to do it. Returns whether
  /// those of others are all kept now.
  bool settle(const std::function<bool(std::uint32_t slot)>& is_dead) noexcept;

  /// Device memory of this process for host memory that is copied at each end; used again when
  /// nothing refers to it and the promise is kept that `end_stage` was told of.
  std::shared_ptr<cuda::DeviceSegment> stage(std::uint64_t nbytes);
  void end_stage(const cuda::DeviceSegment& stage, const cuda::Word& promise);

 private:
  layout::DeviceWords& at(std::uint32_t index) const noexcept;

  cuda::Device& device_;
  const Parts parts_;
  const cuda::Choice<cuda::Sync> sync_;
  std::shared_ptr<cuda::Registration> registration_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<cuda::Timeline>> timelines_;

  struct Stage {
    std::shared_ptr<cuda::DeviceSegment> segment;
    const std::atomic<std::uint64_t>* word = nullptr;
    std::uint64_t value = 0;  ///< when the word has reached it, no device works on it any more

    bool is_free() const noexcept {
      return segment.use_count() == 1 && (word == nullptr || word->load() >= value);
    }
  };
  std::vector<Stage> stages_;
};

}  // namespace clara_fastio::client
