// SPDX-License-Identifier: Apache-2.0
#include <thread>
#include <vector>

#include "cuda/driver_api.hpp"
#include "cuda_testing.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::cuda {
namespace {

using namespace testing;
using posix::testing::run_in_fork;

constexpr const char* kDriver = "CLARA_FASTIO_CUDA_DRIVER";

std::string message_of_get() {
  try {
    DriverApi::get();
    return "loaded";
  } catch (const Error& error) {
    return error.what();
  }
}

// Exit status of a forked child: 0 when the action is refused there because of the fork.
int refused_in_fork(const std::function<void()>& action) {
  return run_in_fork([&] {
    try {
      action();
      return 1;
    } catch (const Error& error) {
      return error.code() == Errc::forked ? 0 : 2;
    }
  });
}

TEST(DriverApi, is_the_library_that_the_environment_names) {
  in_process([] {
    EXPECT_EQ(DriverApi::get().path, FAKE_CUDA_LIBRARY);
    EXPECT_EQ(DriverApi::get().version, 12080);
    EXPECT_NE(DriverApi::get().stream_id, nullptr);
  });
}

TEST(DriverApi, is_never_loaded_by_asking_whether_it_is) {
  in_process([] {
    EXPECT_EQ(DriverApi::if_loaded(), nullptr);
    const DriverApi& api = DriverApi::get();
    EXPECT_EQ(DriverApi::if_loaded(), &api);
  });
}

TEST(DriverApi, is_loaded_once_by_many_threads) {
  in_process([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([] { DriverApi::get(); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(calls_of("cuInit"), 1U);
  });
}

TEST(DriverApi, is_the_systems_where_the_environment_names_none) {
  for (const std::optional<std::string>& none : {std::optional<std::string>(), {""}}) {
    in_process({{kDriver, none}}, [] {
      // With or without a GPU in the machine that runs the test.
      try {
        EXPECT_EQ(DriverApi::get().path, "libcuda.so.1");
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::device_not_found);
        EXPECT_NE(std::string(error.what()).find("libcuda.so.1"), std::string::npos);
      }
    });
  }
}

TEST(DriverApi, failure_is_remembered_with_its_words) {
  in_process({{kDriver, "/nowhere/libcuda.so.1"}}, [] {
    EXPECT_SAYS(DriverApi::get(), Errc::device_not_found,
                "no CUDA driver: /nowhere/libcuda.so.1: cannot open shared object file");
    const std::string first = message_of_get();
    ::setenv(kDriver, FAKE_CUDA_LIBRARY, 1);
    EXPECT_EQ(message_of_get(), first);
    EXPECT_EQ(DriverApi::if_loaded(), nullptr);
  });
}

TEST(DriverApi, driver_that_is_too_old_is_named_with_what_it_lacks) {
  in_process({{kDriver, OLD_CUDA_LIBRARY}}, [] {
    EXPECT_EQ(message_of_get(), "the CUDA driver at " OLD_CUDA_LIBRARY
                                " (version 11.2) lacks cuDeviceGetUuid_v2; install a driver of "
                                "12.0 or newer");
  });
}

TEST(DriverApi, library_that_is_no_driver_is_refused) {
  in_process({{kDriver, "libm.so.6"}}, [] {
    EXPECT_SAYS(DriverApi::get(), Errc::device_not_found,
                "the CUDA driver at libm.so.6 (version unknown) lacks cuInit;");
  });
}

TEST(DriverApi, hidden_devices_are_told_by_the_variable_that_hides_them) {
  in_process({{"CUDA_VISIBLE_DEVICES", "-1"}}, [] {
    EXPECT_SAYS(DriverApi::get(), Errc::device_not_found, "cuInit failed: CUDA_ERROR_NO_DEVICE");
    EXPECT_SAYS(DriverApi::get(), Errc::device_not_found, "; CUDA_VISIBLE_DEVICES is '-1'");
  });
}

TEST(DriverApi, machine_without_devices_is_told_without_the_variable) {
  in_process({{"FAKE_CUDA_DEVICES", "0"}}, [] {
    EXPECT_SAYS(DriverApi::get(), Errc::device_not_found, "CUDA_ERROR_NO_DEVICE");
    EXPECT_EQ(message_of_get().find("CUDA_VISIBLE_DEVICES"), std::string::npos);
  });
}

TEST(DriverApi, initialisation_that_fails_is_told_in_the_drivers_words) {
  in_process({{"FAKE_CUDA_ERRORS", "cuInit=999"}, {"CUDA_VISIBLE_DEVICES", "0"}}, [] {
    EXPECT_SAYS(DriverApi::get(), Errc::device_not_found,
                "(version 12.8) cannot be used: cuInit failed: CUDA_ERROR_UNKNOWN (");
    EXPECT_EQ(message_of_get().find("CUDA_VISIBLE_DEVICES"), std::string::npos);
  });
}

TEST(DriverApi, does_not_work_in_a_forked_child) {
  in_process([] {
    DriverApi::get();
    EXPECT_EQ(refused_in_fork([] { DriverApi::get(); }), 0);
    EXPECT_EQ(run_in_fork([] { return DriverApi::if_loaded() == nullptr ? 0 : 1; }), 0);
    EXPECT_NE(DriverApi::if_loaded(), nullptr);
  });
}

TEST(DriverApi, works_in_a_child_that_was_forked_before_it_was_loaded) {
  in_process(
      [] { EXPECT_EQ(run_in_fork([] { return DriverApi::get().version == 12080 ? 0 : 1; }), 0); });
}

TEST(DriverApi, driver_that_another_library_initialised_before_the_fork_is_forked) {
  in_process({{"FAKE_CUDA_ERRORS", "cuInit=3"}}, [] {
    EXPECT_SAYS(DriverApi::get(), Errc::forked,
                "CUDA does not work in a forked child; start the process with spawn or exec");
  });
}

TEST(DriverApi, check_tells_the_call_the_number_and_what_was_wanted) {
  in_process([] {
    const DriverApi& api = DriverApi::get();
    api.check(kSuccess, "cuMemMap");
    try {
      api.check(kInvalidValue, "cuMemMap", "4096 bytes");
      FAIL() << "an error is none";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::cuda);
      EXPECT_EQ(error.os_error(), kInvalidValue);
      EXPECT_STREQ(error.what(), ("cuMemMap failed: " + api.describe(1) + ": 4096 bytes").c_str());
    }
    EXPECT_TRUE(api.describe(kInvalidValue).starts_with("CUDA_ERROR_INVALID_VALUE ("));
    EXPECT_EQ(api.describe(12345), "CUDA error 12345");
    EXPECT_SAYS(api.check(12345, "cuInit"), Errc::cuda, "cuInit failed: CUDA error 12345");
  });
}

TEST(DriverApi, check_knows_what_is_out_of_memory_and_what_is_for_good) {
  in_process([] {
    const DriverApi& api = DriverApi::get();
    EXPECT_SAYS(api.check(kOutOfMemory, "cuMemCreate"), Errc::out_of_memory,
                "cuMemCreate failed: CUDA_ERROR_OUT_OF_MEMORY");
    EXPECT_SAYS(api.check(700, "cuStreamQuery"), Errc::cuda,
                "; the process's work on the device is lost, and the process must be restarted");
    for (const int fatal : {214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999}) {
      EXPECT_TRUE(is_fatal(fatal)) << fatal;
    }
    for (const int other : {0, 1, 2, 3, 100, 201, 400, 600, 701, 712, 713, 800, 801, 900}) {
      EXPECT_FALSE(is_fatal(other)) << other;
    }
  });
}

}  // namespace
}  // namespace clara_fastio::cuda
