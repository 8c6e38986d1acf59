// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "client/device_memory.hpp"

namespace clara_fastio {

struct Block;

namespace client {

/// One use of an entry's device memory, from the map to its end: it has the stream wait for the
/// work of others, and promises its own. Where the memory is staged it copies as well.
///
/// Lifetime: an access that was begun must be ended; its destructor does so without a word.
/// Thread safety: one thread at a time.
class DeviceAccess {
 public:
  enum class Kind {
    read,
    write,   ///< a whole new content
    update,  ///< a change in place
  };

  /// What is used: `nbytes` from `offset` in the entry's data, ordered by one of its words.
  struct Part {
    std::uint32_t word = 0;
    std::uint64_t offset = 0;
    std::uint64_t nbytes = 0;
  };

  DeviceAccess() = default;
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;

  /// Gives the block whose device memory is to be used: the one given, or a stage of it.
  ///
  /// Requires: the lock of the entry, or the frame. Throws: what `Timeline::before_read` throws.
  std::shared_ptr<Block> begin(std::shared_ptr<Block> block, const Part& part, Kind kind,
                               cuda::Stream stream);
  /// Another stream that works on the memory: it waits like the first, and the end waits for it.
  void add_stream(cuda::Stream stream);
  /// Promises that the work given so far gets done. Throws: `Errc::cuda`; the access has ended then
  /// too.
  void end(bool keeps_content);
  bool is_begun() const noexcept { return block_ != nullptr; }
  /// Whether what was read, or changed in place, turned out never to be whole.
  bool is_poisoned() const noexcept;
  cuda::Stream stream() const noexcept { return stream_; }

 private:
  std::shared_ptr<Block> stage();
  void join(cuda::Stream from, cuda::Stream to);

  std::shared_ptr<Block> block_;  ///< the entry's own
  std::shared_ptr<DeviceWords> words_;
  Part part_;
  Kind kind_ = Kind::read;
  cuda::Stream stream_ = nullptr;
  std::vector<cuda::Stream> others_;
  std::shared_ptr<cuda::DeviceSegment> stage_;
  std::uint64_t write_ = 0;  ///< number of the write that is read or changed
};

}  // namespace client
}  // namespace clara_fastio
