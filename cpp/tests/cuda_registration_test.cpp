// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "cuda/registration.hpp"
#include "cuda_testing.hpp"
#include "posix/memfd.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::cuda {
namespace {

using namespace testing;
using posix::Access;
using posix::testing::run_in_fork;

constexpr std::uint64_t kNbytes = 256U << 10U;
constexpr const char* kErrors = "FAKE_CUDA_ERRORS";

Device& device() { return Device::of_ordinal(0); }

posix::Map make_map(Access access = Access::read_write) {
  const posix::UniqueFd fd = posix::create_memfd("clara-fastio:test:1");
  posix::set_size(fd.get(), kNbytes);
  return posix::Map::of(fd.get(), 0, kNbytes, access);
}

TEST(Registration, gives_the_device_each_byte_of_the_range_until_it_ends) {
  in_process([] {
    const posix::Map map = make_map();
    auto registration = Registration::of(device(), map.data(), kNbytes, false);
    EXPECT_EQ(registered_nbytes(), kNbytes);
    Pointer first = 0;
    const CurrentContext current(device());
    device().api().host_device_pointer(&first, map.data(), 0);
    EXPECT_EQ(registration->at(map.data()), first);
    EXPECT_EQ(registration->at(map.data() + kNbytes - 1), first + kNbytes - 1);
    registration.reset();
    EXPECT_EQ(registered_nbytes(), 0U);
  });
}

TEST(Registration, of_a_range_that_may_only_be_read_says_so) {
  in_process([] {
    const posix::Map map = make_map(Access::read_only);
    EXPECT_SAYS(Registration::of(device(), map.data(), kNbytes, false), Errc::cuda,
                "cuMemHostRegister failed: CUDA_ERROR_INVALID_VALUE");
    const auto registration = Registration::of(device(), map.data(), kNbytes, true);
    EXPECT_EQ(registered_nbytes(), kNbytes);
  });
}

TEST(Registration, of_a_range_that_may_only_be_read_needs_a_driver_that_can) {
  in_process({{"FAKE_CUDA_ATTRIBUTES", "113=0"}}, [] {
    const posix::Map map = make_map(Access::read_only);
    EXPECT_SAYS(Registration::of(device(), map.data(), kNbytes, true), Errc::cuda,
                "cuMemHostRegister failed: ");
    EXPECT_EQ(registered_nbytes(), 0U);
  });
}

TEST(Registration, without_memory_names_the_limit_that_may_be_why) {
  in_process({{kErrors, "cuMemHostRegister_v2=2"}}, [] {
    const posix::Map map = make_map();
    try {
      Registration::of(device(), map.data(), kNbytes, false);
      FAIL() << "registered without memory";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::out_of_memory);
      EXPECT_EQ(error.requested(), kNbytes);
      EXPECT_NE(std::string(error.what()).find("RLIMIT_MEMLOCK"), std::string::npos);
    }
  });
}

TEST(Registration, that_has_no_device_pointer_is_undone) {
  in_process({{kErrors, "cuMemHostGetDevicePointer_v2=1"}}, [] {
    const posix::Map map = make_map();
    EXPECT_SAYS(Registration::of(device(), map.data(), kNbytes, false), Errc::cuda,
                "cuMemHostGetDevicePointer failed: CUDA_ERROR_INVALID_VALUE");
    EXPECT_EQ(registered_nbytes(), 0U);
    EXPECT_EQ(calls_of("cuCtxPushCurrent_v2"), calls_of("cuCtxPopCurrent_v2"));
  });
}

TEST(Registration, that_is_refused_leaves_the_one_that_is_there) {
  in_process([] {
    const posix::Map map = make_map();
    const auto first = Registration::of(device(), map.data(), kNbytes, false);
    EXPECT_SAYS(Registration::of(device(), map.data(), kNbytes, false), Errc::cuda,
                "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED");
    EXPECT_EQ(registered_nbytes(), kNbytes);
    EXPECT_EQ(calls_of("cuMemHostUnregister"), 0U);
  });
}

TEST(Registration, ends_on_a_thread_that_never_used_the_device) {
  in_process([] {
    const posix::Map map = make_map();
    auto registration = Registration::of(device(), map.data(), kNbytes, false);
    std::thread([&] { registration.reset(); }).join();
    EXPECT_EQ(registered_nbytes(), 0U);
  });
}

TEST(Registration, end_does_not_throw_when_the_device_has_failed) {
  in_process({{kErrors, "cuCtxGetCurrent=700@2+;cuCtxPushCurrent_v2=700@2+"}}, [] {
    const posix::Map map = make_map();
    Registration::of(device(), map.data(), kNbytes, false).reset();
    EXPECT_EQ(calls_of("cuMemHostUnregister"), 1U);
  });
}

TEST(Registration, end_in_a_forked_child_does_nothing) {
  in_process([] {
    const posix::Map map = make_map();
    auto registration = Registration::of(device(), map.data(), kNbytes, false);
    EXPECT_EQ(run_in_fork([&] {
                registration.reset();
                return calls_of("cuMemHostUnregister") == 0 ? 0 : 1;
              }),
              0);
    EXPECT_EQ(registered_nbytes(), kNbytes);
  });
}

}  // namespace
}  // namespace clara_fastio::cuda
