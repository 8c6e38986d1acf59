// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include "fake_cuda_testing.hpp"
#include "peer_testing.hpp"

namespace fake_cuda::testing {
namespace {

/// Host memory of two pages.
struct Pages {
  static constexpr std::size_t kPage = 4096;
  void* address = nullptr;

  explicit Pages(int rights = PROT_READ | PROT_WRITE)
      : address(::mmap(nullptr, 2 * kPage, rights, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() { ::munmap(address, 2 * kPage); }
};

TEST(FakeCudaRegistration, registers_host_memory_once) {
  const Session session;
  const Pages pages;
  Pointer pointer = 0;
  EXPECT_EQ(driver().host_device_pointer(&pointer, pages.address, 0), kInvalidValue);
  must(driver().register_host(pages.address, 2 * Pages::kPage, kRegisterPortable));
  EXPECT_EQ(driver().registered_bytes(), 2 * Pages::kPage);
  must(driver().host_device_pointer(&pointer, pages.address, 0));
  EXPECT_EQ(pointer, reinterpret_cast<Pointer>(pages.address));
  auto* const second = static_cast<std::byte*>(pages.address) + Pages::kPage;
  EXPECT_EQ(driver().register_host(second, Pages::kPage, 0), kAlreadyRegistered);
  EXPECT_EQ(driver().unregister_host(second), kNotRegistered);
  EXPECT_EQ(driver().unregister_host(pages.address), kSuccess);
  EXPECT_EQ(driver().unregister_host(pages.address), kNotRegistered);
  EXPECT_EQ(driver().registered_bytes(), 0U);
}

TEST(FakeCudaRegistration, registers_what_is_mapped_and_writable_or_called_read_only) {
  const Session session;
  const Pages reading(PROT_READ);
  const Pages none(PROT_NONE);
  constexpr std::size_t kBoth = 2 * Pages::kPage;
  EXPECT_EQ(driver().register_host(reading.address, kBoth, 0), kInvalidValue);
  EXPECT_EQ(driver().register_host(reading.address, kBoth, kRegisterReadOnly), kSuccess);
  EXPECT_EQ(driver().unregister_host(reading.address), kSuccess);
  EXPECT_EQ(driver().register_host(none.address, kBoth, kRegisterReadOnly), kInvalidValue);
  auto* const inside = static_cast<std::byte*>(reading.address) + 8;
  EXPECT_EQ(driver().register_host(inside, Pages::kPage, kRegisterReadOnly), kInvalidValue);
  void* gone = nullptr;
  {
    gone = Pages().address;
  }
  EXPECT_EQ(driver().register_host(gone, kBoth, 0), kInvalidValue);
}

ROLE(cannot_register_read_only) {
  const Session session;
  const Pages reading(PROT_READ);
  EXPECT_EQ(driver().register_host(reading.address, Pages::kPage, kRegisterReadOnly),
            kInvalidValue);
}

TEST(FakeCudaRegistration, registers_read_only_memory_only_where_the_device_can) {
  EXPECT_EQ(run_role("cannot_register_read_only", {"FAKE_CUDA_ATTRIBUTES=113=0"}), 0);
}

}  // namespace
}  // namespace fake_cuda::testing

int main(int argc, char** argv) { return fake_cuda::testing::run_tests_or_role(argc, argv); }
