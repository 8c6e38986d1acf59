// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace clara_fastio::posix {

inline constexpr std::uint64_t kHugePage = 2ull << 20;

/// Whether a setting of the kernel, such as "always [advise] never", has this choice.
bool is_chosen(std::string_view setting, std::string_view choice) noexcept;

/// Whether shared memory gets huge pages where it is asked for, and only there.
///
/// Where the kernel gives them by itself, reserving memory is enough.
bool gives_huge_pages_on_request() noexcept;

/// Has the kernel put huge pages under a range, as far as it has any; the rest stays as it is.
///
/// Reserve the range afterwards: this promises nothing. Takes as long as filling it once.
void request_huge_pages(int fd, std::uint64_t offset, std::uint64_t nbytes) noexcept;

}  // namespace clara_fastio::posix
