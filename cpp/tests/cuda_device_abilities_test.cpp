// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <thread>
#include <vector>

#include "cuda/device.hpp"
#include "cuda_testing.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::cuda {
namespace {

using namespace testing;
using posix::testing::open_descriptors;
using Abilities = Device::Abilities;

const Abilities& abilities() { return Device::of_ordinal(0).abilities(); }

// Each kind of memory, with what the kernel and the driver know of it, is as before the trials.
void expect_nothing_left() {
  EXPECT_EQ(traces_of_memory(), 0);
  EXPECT_EQ(registered_nbytes(), 0U);
  EXPECT_EQ(calls_of("cuEventCreate") - calls_of("cuEventDestroy_v2"), 0U);
  EXPECT_EQ(calls_of("cuCtxPushCurrent_v2"), calls_of("cuCtxPopCurrent_v2"));
}

TEST(DeviceAbilities, are_all_there_on_a_good_device_and_leave_nothing_behind) {
  in_process([] {
    const std::size_t before = open_descriptors();
    const Abilities& found = abilities();
    EXPECT_EQ(found.no_vmm, "");
    EXPECT_EQ(found.no_legacy_ipc, "");
    EXPECT_EQ(found.no_timeline, "");
    EXPECT_EQ(found.no_events, "");
    EXPECT_EQ(found.no_read_only, "");
    EXPECT_EQ(found.no_registration, "");
    EXPECT_TRUE(found.registers_read_only);
    EXPECT_EQ(found.granularity, 2U << 20U);
    EXPECT_EQ(open_descriptors(), before);
    expect_nothing_left();
  });
}

TEST(DeviceAbilities, are_tried_once_by_many_threads) {
  in_process([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([] { abilities(); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(calls_of("cuMemCreate"), 1U);
    EXPECT_EQ(calls_of("cuIpcGetEventHandle"), 1U);
  });
}

struct Refusal {
  const char* variable;
  const char* value;
  std::string Abilities::* word;
  const char* text;
};

void PrintTo(const Refusal& refusal, std::ostream* stream) { *stream << refusal.value; }

class DeviceAbility : public ::testing::TestWithParam<Refusal> {};

TEST_P(DeviceAbility, that_fails_is_told_alone_and_leaves_nothing_behind) {
  const Refusal& wanted = GetParam();
  in_process({{wanted.variable, wanted.value}}, [&wanted] {
    const std::size_t before = open_descriptors();
    const Abilities& found = abilities();
    EXPECT_NE((found.*wanted.word).find(wanted.text), std::string::npos) << found.*wanted.word;
    const bool is_vmm = wanted.word == &Abilities::no_vmm;
    const bool is_registration = wanted.word == &Abilities::no_registration;
    const auto expect_there = [&](std::string Abilities::* word, bool follows) {
      if (word == wanted.word) return;
      EXPECT_EQ(found.*word, follows ? found.*wanted.word : "");
    };
    expect_there(&Abilities::no_vmm, false);
    expect_there(&Abilities::no_legacy_ipc, false);
    expect_there(&Abilities::no_events, false);
    expect_there(&Abilities::no_registration, false);
    expect_there(&Abilities::no_read_only, is_vmm);
    expect_there(&Abilities::no_timeline, is_registration);
    EXPECT_EQ(found.granularity, is_vmm ? 0U : 2U << 20U);
    EXPECT_EQ(found.registers_read_only, !is_registration);
    EXPECT_EQ(open_descriptors(), before);
    expect_nothing_left();
  });
}

constexpr const char* kAttributes = "FAKE_CUDA_ATTRIBUTES";
constexpr const char* kErrors = "FAKE_CUDA_ERRORS";

INSTANTIATE_TEST_SUITE_P(
    attribute, DeviceAbility,
    ::testing::Values(Refusal{kAttributes, "102=0", &Abilities::no_vmm,
                              "the attribute VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED is 0"},
                      Refusal{kAttributes, "103=0", &Abilities::no_vmm,
                              "the attribute HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED is 0"},
                      Refusal{kAttributes, "99=0", &Abilities::no_registration,
                              "the attribute HOST_REGISTER_SUPPORTED is 0"},
                      Refusal{kAttributes, "122=0", &Abilities::no_timeline,
                              "the attribute CAN_USE_64_BIT_STREAM_MEM_OPS is 0"},
                      Refusal{kAttributes, "125=0", &Abilities::no_events,
                              "the attribute IPC_EVENT_SUPPORTED is 0"}));

INSTANTIATE_TEST_SUITE_P(
    trial, DeviceAbility,
    ::testing::Values(
        Refusal{kErrors, "cuMemGetAllocationGranularity=801", &Abilities::no_vmm,
                "cuMemGetAllocationGranularity failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemCreate=801", &Abilities::no_vmm,
                "cuMemCreate failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemCreate=2", &Abilities::no_vmm,
                "cuMemCreate failed: CUDA_ERROR_OUT_OF_MEMORY"},
        Refusal{kErrors, "cuMemAddressReserve=801", &Abilities::no_vmm,
                "cuMemAddressReserve failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemMap=801", &Abilities::no_vmm,
                "cuMemMap failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemSetAccess=801", &Abilities::no_vmm,
                "cuMemSetAccess failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemExportToShareableHandle=800", &Abilities::no_vmm,
                "cuMemExportToShareableHandle failed: CUDA_ERROR_NOT_PERMITTED"},
        Refusal{kErrors, "cuMemImportFromShareableHandle=801", &Abilities::no_vmm,
                "cuMemImportFromShareableHandle failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemGetAllocationPropertiesFromHandle=801", &Abilities::no_vmm,
                "cuMemGetAllocationPropertiesFromHandle failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemMap=801@2", &Abilities::no_vmm,
                "cuMemMap failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemSetAccess:read=801", &Abilities::no_read_only,
                "cuMemSetAccess for reading failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemSetAccess:read=1", &Abilities::no_read_only,
                "cuMemSetAccess for reading failed: CUDA_ERROR_INVALID_VALUE"},
        Refusal{kErrors, "cuMemAlloc_v2=801", &Abilities::no_legacy_ipc,
                "cuMemAlloc failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuIpcGetMemHandle=801", &Abilities::no_legacy_ipc,
                "cuIpcGetMemHandle failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemHostRegister_v2=801", &Abilities::no_registration,
                "cuMemHostRegister failed: CUDA_ERROR_NOT_SUPPORTED"},
        Refusal{kErrors, "cuMemHostRegister_v2=2", &Abilities::no_registration, "RLIMIT_MEMLOCK"},
        Refusal{kErrors, "cuMemHostGetDevicePointer_v2=1", &Abilities::no_registration,
                "cuMemHostGetDevicePointer failed: CUDA_ERROR_INVALID_VALUE"},
        Refusal{kErrors, "cuIpcGetEventHandle=801", &Abilities::no_events,
                "cuIpcGetEventHandle failed: CUDA_ERROR_NOT_SUPPORTED"}));

TEST(DeviceAbilities, event_that_cannot_be_made_is_told) {
  in_process({{kErrors, "cuEventCreate=801"}}, [] {
    EXPECT_TRUE(abilities().no_events.starts_with("cuEventCreate failed: "));
    EXPECT_EQ(calls_of("cuEventDestroy_v2"), 0U);
  });
}

TEST(DeviceAbilities, read_only_registration_is_an_ability_of_its_own) {
  for (const Environment& lack : {Environment{{kAttributes, "113=0"}},
                                  Environment{{kErrors, "cuMemHostRegister_v2=801@2"}}}) {
    in_process(lack, [] {
      EXPECT_FALSE(abilities().registers_read_only);
      EXPECT_EQ(abilities().no_registration, "");
      expect_nothing_left();
    });
  }
}

TEST(DeviceAbilities, are_not_decided_while_the_device_is_too_full_to_try) {
  in_process({{kErrors, "cuMemCreate=2@1"}, {"FAKE_CUDA_MEMORY", "33554432"}}, [] {
    EXPECT_SAYS(abilities(), Errc::out_of_memory, "33554432 bytes free");
    expect_nothing_left();
    EXPECT_EQ(abilities().no_vmm, "");
  });
}

TEST(DeviceAbilities, are_no_question_for_a_device_that_has_failed_for_good) {
  for (const char* call : {"cuMemCreate", "cuMemMap", "cuIpcGetMemHandle", "cuMemHostRegister_v2",
                           "cuMemImportFromShareableHandle", "cuIpcGetEventHandle"}) {
    in_process({{kErrors, std::string(call) + "=700@1"}}, [] {
      EXPECT_SAYS(abilities(), Errc::cuda, "CUDA_ERROR_ILLEGAL_ADDRESS");
      expect_nothing_left();
      EXPECT_EQ(abilities().no_events, "");
    });
  }
}

}  // namespace
}  // namespace clara_fastio::cuda
