// SPDX-License-Identifier: Apache-2.0
#include "posix/huge_pages.hpp"

#include <sys/mman.h>

#include <string>

#include "posix/text_file.hpp"

namespace clara_fastio::posix {

bool is_chosen(std::string_view setting, std::string_view choice) noexcept {
  const auto begin = setting.find('[');
  const auto end = setting.find(']');
  return begin != std::string_view::npos && end != std::string_view::npos && begin < end &&
         setting.substr(begin + 1, end - begin - 1) == choice;
}

bool gives_huge_pages_on_request() noexcept {
  try {
    const auto setting = read_text_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    return setting && is_chosen(*setting, "advise");
  } catch (...) {
    return false;
  }
}

void request_huge_pages(int fd, std::uint64_t offset, std::uint64_t nbytes) noexcept {
  void* const address =
      ::mmap(nullptr, nbytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (address == MAP_FAILED) return;
#ifdef MADV_POPULATE_WRITE
  // Only a map can carry the request; allocating without one gives small pages.
  if (::madvise(address, nbytes, MADV_HUGEPAGE) == 0) {
    (void)::madvise(address, nbytes, MADV_POPULATE_WRITE);
  }
#endif
  ::munmap(address, nbytes);
}

}  // namespace clara_fastio::posix
