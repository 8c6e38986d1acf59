// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace clara_fastio::crash {

/// What one process of a stream says of itself; the test reads it after the death.
struct alignas(64) Report {
  std::atomic<std::uint64_t> taken;  ///< frames that it has marked as seen
  std::atomic<std::uint64_t> held;   ///< of these, that it has not given back
};

inline constexpr std::uint32_t kReports = 1024;
inline constexpr std::uint32_t kEdges = 8;
inline constexpr std::uint64_t kFramesPerEdge = 1u << 26;

/// Of one stream, in memory that outlives all its processes: `tests/kill/ledger.py` reads it.
struct Ledger {
  alignas(64) std::atomic<std::uint64_t> committed;  ///< frames whose commit came back
  alignas(64) std::atomic<std::uint64_t> stop;       ///< the producer is to finish
  Report reports[kReports];
  std::atomic<std::uint64_t> seen[kEdges][kFramesPerEdge / 64];  ///< a bit for each frame

  static Ledger& of(const char* path) {
    const int fd = ::open(path, O_RDWR | O_CLOEXEC);
    void* memory = ::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || memory == MAP_FAILED) std::abort();
    ::close(fd);
    return *static_cast<Ledger*>(memory);
  }

  /// Whether nobody of the edge had seen that frame before.
  bool mark(std::uint32_t edge, std::uint64_t frame) noexcept {
    const std::uint64_t bit = 1ull << (frame % 64);
    return frame < kFramesPerEdge && (seen[edge][frame / 64].fetch_or(bit) & bit) == 0;
  }
};

}  // namespace clara_fastio::crash
