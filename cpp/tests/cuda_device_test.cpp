// SPDX-License-Identifier: Apache-2.0
#include <thread>
#include <vector>

#include "cuda/device.hpp"
#include "cuda_testing.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::cuda {
namespace {

using namespace testing;
using posix::testing::run_in_fork;

const std::string kFirst = "GPU-46414b45-4750-5500-0000-000000000000";
const std::string kSecond = "GPU-46414b45-4750-5500-0000-000000000001";

Context current() {
  Context context = nullptr;
  EXPECT_EQ(DriverApi::get().context_current(&context), kSuccess);
  return context;
}

TEST(Device, is_one_object_by_number_and_by_uuid) {
  in_process({{"FAKE_CUDA_DEVICES", "2"}, {"FAKE_CUDA_MEMORY", "1073741824"}}, [] {
    EXPECT_EQ(Device::count(), 2);
    Device& second = Device::of_ordinal(1);
    EXPECT_EQ(&Device::of_ordinal(1), &second);
    EXPECT_EQ(&Device::of_uuid(second.uuid()), &second);
    EXPECT_EQ(second.ordinal(), 1);
    EXPECT_EQ(second.name(), "Fake GPU 1");
    EXPECT_EQ(second.memory_nbytes(), 1U << 30U);
    EXPECT_EQ(text_of(second.uuid()), kSecond);
  });
}

TEST(Device, keeps_its_uuid_when_the_numbers_are_reordered) {
  in_process({{"FAKE_CUDA_DEVICES", "2"}, {"CUDA_VISIBLE_DEVICES", "1,0"}}, [] {
    EXPECT_EQ(text_of(Device::of_ordinal(0).uuid()), kSecond);
    EXPECT_EQ(text_of(Device::of_ordinal(1).uuid()), kFirst);
  });
}

TEST(Device, number_that_does_not_exist_is_told_with_those_that_do) {
  in_process([] {
    for (const int ordinal : {-1, 1, 7}) {
      EXPECT_SAYS(Device::of_ordinal(ordinal), Errc::device_not_found,
                  "there is no device " + std::to_string(ordinal) +
                      "; this process sees 1 device: " + kFirst);
    }
  });
}

TEST(Device, uuid_that_is_hidden_is_told_with_those_that_are_visible) {
  in_process({{"FAKE_CUDA_DEVICES", "3"}, {"CUDA_VISIBLE_DEVICES", "1,0"}}, [] {
    Uuid hidden = Device::of_ordinal(0).uuid();
    hidden.bytes[15] = 2;
    EXPECT_SAYS(Device::of_uuid(hidden), Errc::device_not_found,
                "there is no device " + text_of(hidden) + "; this process sees 2 devices: " +
                    kSecond + ", " + kFirst + "; CUDA_VISIBLE_DEVICES is '1,0'");
  });
}

TEST(Device, is_active_once_it_is_used_and_keeps_its_context) {
  in_process({{"FAKE_CUDA_MEMORY", "1073741824"}}, [] {
    Device& device = Device::of_ordinal(0);
    EXPECT_FALSE(device.is_active());
    for (int i = 0; i < 100; ++i) EXPECT_EQ(device.free_nbytes(), 1U << 30U);
    EXPECT_TRUE(device.is_active());
    EXPECT_EQ(calls_of("cuDevicePrimaryCtxRetain"), 1U);
    EXPECT_EQ(calls_of("cuDevicePrimaryCtxRelease_v2"), 0U);
  });
}

TEST(Device, attribute_that_the_driver_does_not_know_is_zero) {
  in_process({{"FAKE_CUDA_ERRORS", "cuDeviceGetAttribute=1@1;cuDeviceGetAttribute=700@2"}}, [] {
    const Device& device = Device::of_ordinal(0);
    EXPECT_EQ(device.attribute(kVirtualMemory), 0);
    EXPECT_SAYS(device.attribute(kVirtualMemory), Errc::cuda, "cuDeviceGetAttribute failed");
    EXPECT_EQ(device.attribute(kVirtualMemory), 1);
  });
}

TEST(Device, context_that_cannot_be_had_is_an_error_each_time) {
  in_process({{"FAKE_CUDA_ERRORS", "cuDevicePrimaryCtxRetain=46@1"}}, [] {
    Device& device = Device::of_ordinal(0);
    EXPECT_SAYS(device.abilities(), Errc::cuda, "cuDevicePrimaryCtxRetain failed: ");
    EXPECT_EQ(device.abilities().no_vmm, "");
  });
}

TEST(CurrentContext, is_current_for_a_scope_and_changes_nothing_when_it_is_already) {
  in_process([] {
    Device& device = Device::of_ordinal(0);
    EXPECT_EQ(current(), nullptr);
    {
      const CurrentContext outer(device);
      const Context context = current();
      EXPECT_NE(context, nullptr);
      {
        const CurrentContext inner(device);
      }
      EXPECT_EQ(current(), context);
      EXPECT_EQ(calls_of("cuCtxPushCurrent_v2"), 1U);
      EXPECT_EQ(calls_of("cuCtxPopCurrent_v2"), 0U);
    }
    EXPECT_EQ(current(), nullptr);
  });
}

TEST(CurrentContext, gives_the_context_of_another_device_back) {
  in_process({{"FAKE_CUDA_DEVICES", "2"}}, [] {
    const CurrentContext users(Device::of_ordinal(1));
    const Context context = current();
    try {
      const CurrentContext ours(Device::of_ordinal(0));
      EXPECT_NE(current(), context);
      throw 1;
    } catch (int) {
      EXPECT_EQ(current(), context);
    }
    {
      const CurrentContext ours(Device::of_ordinal(0), std::nothrow);
    }
    EXPECT_EQ(current(), context);
  });
}

TEST(CurrentContext, of_a_destructor_does_not_throw_when_the_context_is_lost) {
  in_process({{"FAKE_CUDA_ERRORS", "cuCtxGetCurrent=700@2+;cuCtxPushCurrent_v2=700@2+"}}, [] {
    Device& device = Device::of_ordinal(0);
    device.free_nbytes();
    {
      const CurrentContext lost(device, std::nothrow);
    }
    EXPECT_EQ(calls_of("cuCtxPopCurrent_v2"), 1U);
    EXPECT_SAYS(CurrentContext(device), Errc::cuda, "CUDA_ERROR_ILLEGAL_ADDRESS");
  });
}

TEST(CurrentContext, is_each_threads_own) {
  in_process({{"FAKE_CUDA_DEVICES", "2"}}, [] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([i] {
        for (int round = 0; round < 100; ++round) {
          const CurrentContext scope(Device::of_ordinal((i + round) % 2));
          EXPECT_NE(current(), nullptr);
        }
        EXPECT_EQ(current(), nullptr);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(calls_of("cuDevicePrimaryCtxRetain"), 2U);
  });
}

TEST(Device, refuses_a_forked_child) {
  in_process([] {
    Device& device = Device::of_ordinal(0);
    device.abilities();
    const CurrentContext outside(device);
    const int status = run_in_fork([&] {
      int failures = 0;
      const auto expect_forked = [&](const char* what, const std::function<void()>& action) {
        try {
          action();
        } catch (const Error& error) {
          if (error.code() == Errc::forked) return;
        }
        std::fprintf(stderr, "%s does not say that it is forked\n", what);
        ++failures;
      };
      expect_forked("of_ordinal", [] { Device::of_ordinal(0); });
      expect_forked("of_uuid", [] { Device::of_uuid({}); });
      expect_forked("count", [] { Device::count(); });
      expect_forked("free_nbytes", [&] { device.free_nbytes(); });
      expect_forked("abilities", [&] { device.abilities(); });
      expect_forked("CurrentContext", [&] { const CurrentContext inside(device); });
      return failures;
    });
    EXPECT_EQ(status, 0);
  });
}

}  // namespace
}  // namespace clara_fastio::cuda
