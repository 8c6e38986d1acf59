// SPDX-License-Identifier: Apache-2.0
// The fake driver is a test part, and a wrong one proves nothing: start, devices, errors,
// contexts.
#include <chrono>
#include <fstream>

#include "fake_cuda_testing.hpp"
#include "peer_testing.hpp"
#include "posix_testing.hpp"

namespace fake_cuda::testing {
namespace {

using clara_fastio::posix::testing::run_in_fork;
using clara_fastio::posix::testing::TemporaryDirectory;

ROLE(calls_before_the_start) {
  int count = 0;
  EXPECT_EQ(driver().device_count(&count), kNotInitialized);
  EXPECT_EQ(driver().stream_synchronize(nullptr), kNotInitialized);
  int version = 0;
  EXPECT_EQ(driver().driver_version(&version), kSuccess);
  EXPECT_EQ(version, 12080);
  must(driver().init(0));
  EXPECT_EQ(driver().device_count(&count), kSuccess);
  EXPECT_EQ(count, 1);
}

TEST(FakeCuda, refuses_calls_before_the_start) { EXPECT_EQ(run_role("calls_before_the_start"), 0); }

TEST(FakeCuda, does_not_work_in_a_forked_child) {
  const Session session;
  const int status = run_in_fork([&] {
    int count = 0;
    Context context = nullptr;
    if (driver().device_count(&count) != kNotInitialized) return 1;
    if (driver().context_current(&context) != kNotInitialized) return 2;
    if (driver().stream_query(nullptr) != kNotInitialized) return 3;
    return driver().init(0) == kNotInitialized ? 0 : 4;
  });
  EXPECT_EQ(status, 0);
}

TEST(FakeCuda, names_errors_as_the_driver_does) {
  const char* text = "";
  EXPECT_EQ(driver().error_name(600, &text), kSuccess);
  EXPECT_STREQ(text, "CUDA_ERROR_NOT_READY");
  EXPECT_EQ(driver().error_text(1, &text), kSuccess);
  EXPECT_STREQ(text, "invalid argument");
  EXPECT_EQ(driver().error_name(12345, &text), kInvalidValue);
  EXPECT_EQ(text, nullptr);
}

ROLE(has_no_device) { EXPECT_EQ(driver().init(0), kNoDevice); }

TEST(FakeCuda, has_no_device_when_none_is_visible) {
  EXPECT_EQ(run_role("has_no_device", {"CUDA_VISIBLE_DEVICES="}), 0);
  EXPECT_EQ(run_role("has_no_device", {"CUDA_VISIBLE_DEVICES=-1"}), 0);
  EXPECT_EQ(run_role("has_no_device", {"CUDA_VISIBLE_DEVICES=7"}), 0);
  EXPECT_EQ(run_role("has_no_device", {"FAKE_CUDA_DEVICES=0"}), 0);
}

ROLE(has_devices_two_and_zero) {
  must(driver().init(0));
  int count = 0;
  must(driver().device_count(&count));
  ASSERT_EQ(count, 2);
  EXPECT_EQ(name_of(0), "Fake GPU 2");
  EXPECT_EQ(name_of(1), "Fake GPU 0");
  Uuid uuid{};
  must(driver().device_uuid(&uuid, 0));
  EXPECT_EQ(std::memcmp(uuid.bytes, "FAKEGPU\0\0\0\0\0\0\0\0\2", 16), 0);
  DeviceNumber device = 0;
  EXPECT_EQ(driver().device_get(&device, 2), kInvalidDevice);
}

TEST(FakeCuda, orders_devices_as_asked_for_by_number_or_identity) {
  EXPECT_EQ(
      run_role("has_devices_two_and_zero", {"FAKE_CUDA_DEVICES=3", "CUDA_VISIBLE_DEVICES=2,0,9,1"}),
      0);
  EXPECT_EQ(run_role("has_devices_two_and_zero",
                     {"FAKE_CUDA_DEVICES=3",
                      "CUDA_VISIBLE_DEVICES=GPU-46414b45-4750-5500-0000-000000000002,0"}),
            0);
}

ROLE(has_other_attributes) {
  must(driver().init(0));
  int value = -1;
  must(driver().device_attribute(&value, kPosixDescriptor, 0));
  EXPECT_EQ(value, 0);
  must(driver().device_attribute(&value, kStreamMemoryOperations, 0));
  EXPECT_EQ(value, 1);
  const MemoryProperties properties = properties_of(0);
  MemoryHandle handle = 0;
  EXPECT_EQ(driver().create_memory(&handle, kStep, &properties, 0), kNotSupported);
  const MemoryProperties own = properties_of(0, 0);
  EXPECT_EQ(driver().create_memory(&handle, kStep, &own, 0), kSuccess);
}

TEST(FakeCuda, has_the_attributes_that_the_environment_gives_it) {
  EXPECT_EQ(run_role("has_other_attributes", {"FAKE_CUDA_ATTRIBUTES=103=0"}), 0);
}

ROLE(fails_as_told) {
  const Session session;
  const MemoryHandle handle = create();
  Pointer pointer = 0;
  must(driver().reserve_address(&pointer, kStep, 0, 0, 0));
  must(driver().map_memory(pointer, kStep, 0, handle, 0));
  const MemoryAccess read{{kOnDevice, 0}, kReadAccess};
  const MemoryAccess write{{kOnDevice, 0}, kReadWriteAccess};
  EXPECT_EQ(driver().set_access(pointer, kStep, &read, 1), kNotSupported);
  EXPECT_EQ(driver().set_access(pointer, kStep, &write, 1), kSuccess);
  EXPECT_EQ(driver().event_query(nullptr), kInvalidHandle);
  EXPECT_EQ(driver().event_query(nullptr), 999);
  EXPECT_EQ(driver().event_query(nullptr), kInvalidHandle);
  for (const Result expected : {kSuccess, kOutOfMemory, kOutOfMemory}) {
    EXPECT_EQ(driver().allocate(&pointer, 1), expected);
  }
  unsigned long long id = 0;
  EXPECT_EQ(driver().stream_id(nullptr, &id), kNotSupported);
}

TEST(FakeCuda, fails_at_the_calls_that_the_environment_names) {
  EXPECT_EQ(
      run_role("fails_as_told", {"FAKE_CUDA_ERRORS=cuMemSetAccess:read=801;cuEventQuery=999@2;"
                                 "cuMemAlloc_v2=2@2+",
                                 "FAKE_CUDA_MISSING=cuStreamGetId"}),
      0);
}

TEST(FakeCuda, ends_the_process_when_the_environment_has_no_meaning) {
  EXPECT_EQ(run_role("calls_before_the_start", {"FAKE_CUDA_ERRORS=cuInit"}), 97);
  EXPECT_EQ(run_role("calls_before_the_start", {"FAKE_CUDA_DEVICES=two"}), 97);
}

ROLE(is_logged) {
  const Session session;
  must(driver().stream_synchronize(nullptr));
  EXPECT_EQ(driver().count("cuStreamSynchronize"), 1U);
  EXPECT_EQ(driver().count("cuMemAlloc_v2"), 0U);
  channel.send(::getpid());
}

TEST(FakeCuda, logs_each_call_with_its_process) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/log";
  Peer peer("is_logged", {"FAKE_CUDA_LOG=" + path});
  const std::string pid = std::to_string(peer.channel().receive<pid_t>());
  EXPECT_EQ(peer.wait(), 0);
  std::ifstream log(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(log, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines[0], pid + " cuInit");
  EXPECT_EQ(lines[3], pid + " cuStreamSynchronize");
}

TEST(FakeCuda, needs_a_current_context_that_is_retained) {
  must(driver().init(0));
  EXPECT_EQ(driver().stream_query(nullptr), kInvalidContext);
  EXPECT_EQ(driver().context_pop(nullptr), kInvalidContext);
  unsigned flags = 0;
  int is_active = 1;
  must(driver().primary_state(0, &flags, &is_active));
  EXPECT_EQ(is_active, 0);
  Context context = nullptr;
  must(driver().retain_primary(&context, 0));
  must(driver().retain_primary(&context, 0));
  must(driver().context_push(context));
  must(driver().release_primary(0));
  EXPECT_EQ(driver().stream_query(nullptr), kSuccess);
  must(driver().release_primary(0));
  EXPECT_EQ(driver().stream_query(nullptr), kContextIsDestroyed);
  EXPECT_EQ(driver().release_primary(0), kInvalidContext);
  Context current = nullptr;
  must(driver().context_pop(&current));
  EXPECT_EQ(current, context);
  EXPECT_EQ(driver().context_push(context), kInvalidContext);
}

ROLE(is_late) {
  const Session session;
  const auto start = std::chrono::steady_clock::now();
  must(driver().launch_host_function(nullptr, [](void*) {}, nullptr));
  must(driver().stream_synchronize(nullptr));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(20));
}

TEST(FakeCuda, runs_operations_as_late_as_the_environment_wants) {
  EXPECT_EQ(run_role("is_late", {"FAKE_CUDA_DELAY=20000-30000"}), 0);
}

TEST(FakeCuda, may_not_be_called_by_its_host_functions) {
  const Session session;
  Result result = kSuccess;
  must(driver().launch_host_function(
      nullptr, [](void* data) { *static_cast<Result*>(data) = driver().stream_query(nullptr); },
      &result));
  must(driver().stream_synchronize(nullptr));
  EXPECT_EQ(result, kNotPermitted);
}

}  // namespace
}  // namespace fake_cuda::testing

int main(int argc, char** argv) { return fake_cuda::testing::run_tests_or_role(argc, argv); }
