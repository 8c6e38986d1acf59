// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <cstring>
#include <thread>
#include <vector>

#include "cuda/device_segment.hpp"
#include "cuda_testing.hpp"
#include "posix_testing.hpp"

namespace clara_fastio::cuda {
namespace {

using namespace testing;
using posix::UniqueFd;
using posix::testing::open_descriptors;
using posix::testing::run_in_fork;

constexpr std::uint64_t kGranule = 2U << 20U;
constexpr const char* kErrors = "FAKE_CUDA_ERRORS";

Device& device() { return Device::of_ordinal(0); }

TEST(DeviceSegment, is_rounded_up_and_can_be_written) {
  in_process([] {
    for (const Transport transport : {Transport::vmm, Transport::legacy}) {
      for (const auto& [asked, got] : {std::pair<std::uint64_t, std::uint64_t>{0, kGranule},
                                       {1, kGranule},
                                       {kGranule, kGranule},
                                       {kGranule + 1, 2 * kGranule}}) {
        const auto segment = DeviceSegment::create(device(), transport, asked);
        EXPECT_EQ(segment->nbytes(), got);
        EXPECT_EQ(segment->transport(), transport);
        EXPECT_EQ(&segment->device(), &device());
        EXPECT_FALSE(segment->is_imported());
        EXPECT_FALSE(segment->is_read_only());
        std::memset(bytes_at(segment->pointer()), 7, got);
      }
    }
    EXPECT_EQ(traces_of_memory(), 0);
  });
}

TEST(DeviceSegment, imported_again_is_another_mapping_of_the_same_memory) {
  in_process([] {
    const auto made = DeviceSegment::create(device(), Transport::vmm, kGranule);
    const UniqueFd fd = made->export_descriptor();
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
    const auto imported = DeviceSegment::import(device(), fd.get(), kGranule, false);
    EXPECT_TRUE(imported->is_imported());
    EXPECT_EQ(imported->nbytes(), kGranule);
    EXPECT_NE(imported->pointer(), made->pointer());
    bytes_at(imported->pointer())[123] = 45;
    EXPECT_EQ(bytes_at(made->pointer())[123], 45);
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);  // Still the caller's.
  });
}

TEST(DeviceSegment, import_keeps_the_memory_without_its_maker_descriptor_and_handle) {
  in_process([] {
    auto made = DeviceSegment::create(device(), Transport::vmm, 1);
    bytes_at(made->pointer())[0] = 9;
    UniqueFd fd = made->export_descriptor();
    const auto imported = DeviceSegment::import(device(), fd.get(), 1, true);
    EXPECT_EQ(calls_of("cuMemRelease"), 1U);
    made.reset();
    fd.reset();
    EXPECT_EQ(calls_of("cuMemRelease"), 2U);
    EXPECT_EQ(bytes_at(imported->pointer())[0], 9);
  });
}

TEST(DeviceSegment, read_only_import_can_only_be_read) {
  in_process([] {
    const auto made = DeviceSegment::create(device(), Transport::vmm, kGranule);
    const UniqueFd fd = made->export_descriptor();
    const auto imported = DeviceSegment::import(device(), fd.get(), kGranule, true);
    EXPECT_TRUE(imported->is_read_only());
    EXPECT_EQ(protection_of(imported->pointer()), "r--s");
    EXPECT_EQ(protection_of(made->pointer()), "rw-s");
  });
}

TEST(DeviceSegment, read_only_import_may_write_where_the_driver_knows_no_reading_alone) {
  for (const char* number : {"801", "1"}) {
    in_process({{kErrors, std::string("cuMemSetAccess:read=") + number}}, [] {
      const auto made = DeviceSegment::create(device(), Transport::vmm, kGranule);
      const UniqueFd fd = made->export_descriptor();
      const auto imported = DeviceSegment::import(device(), fd.get(), kGranule, true);
      EXPECT_FALSE(imported->is_read_only());
      EXPECT_EQ(protection_of(imported->pointer()), "rw-s");
    });
  }
}

TEST(DeviceSegment, import_is_refused_when_reading_alone_fails_otherwise) {
  in_process({{kErrors, "cuMemSetAccess:read=800@1;cuMemSetAccess:read=700@2"}}, [] {
    const auto made = DeviceSegment::create(device(), Transport::vmm, kGranule);
    const UniqueFd fd = made->export_descriptor();
    const auto import = [&] { DeviceSegment::import(device(), fd.get(), kGranule, true); };
    EXPECT_SAYS(import(), Errc::device_ipc_unavailable, "cuMemSetAccess failed: CUDA_ERROR_NOT_");
    EXPECT_SAYS(import(), Errc::cuda, "must be restarted");
  });
}

TEST(DeviceSegment, descriptor_of_something_else_is_refused) {
  in_process([] {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int descriptor : {null.get(), -1}) {
      EXPECT_SAYS(DeviceSegment::import(device(), descriptor, kGranule, true),
                  Errc::device_ipc_unavailable,
                  "Fake GPU 0 (device 0) cannot import another process's memory: "
                  "cuMemImportFromShareableHandle failed: CUDA_ERROR_");
    }
    EXPECT_EQ(traces_of_memory(), 0);
  });
}

TEST(DeviceSegment, size_that_the_memory_does_not_have_is_refused) {
  in_process([] {
    const auto made = DeviceSegment::create(device(), Transport::vmm, 2 * kGranule);
    const UniqueFd fd = made->export_descriptor();
    const int before = traces_of_memory();
    EXPECT_SAYS(DeviceSegment::import(device(), fd.get(), 2 * kGranule + 1, true), Errc::layout,
                "is smaller than the 6291456 bytes that it should have");
    for (const std::uint64_t nbytes :
         {std::uint64_t{0}, UINT64_MAX, device().memory_nbytes() + 1}) {
      EXPECT_SAYS(DeviceSegment::import(device(), fd.get(), nbytes, true), Errc::layout,
                  "a segment of " + std::to_string(nbytes) + " bytes cannot be imported");
      EXPECT_SAYS(DeviceSegment::import(device(), IpcHandle{}, nbytes), Errc::layout,
                  "cannot be imported");
    }
    EXPECT_EQ(traces_of_memory(), before);
  });
}

TEST(DeviceSegment, memory_of_another_device_is_refused) {
  in_process({{"FAKE_CUDA_DEVICES", "2"}}, [] {
    const auto made = DeviceSegment::create(Device::of_ordinal(1), Transport::vmm, kGranule);
    const UniqueFd fd = made->export_descriptor();
    const int before = traces_of_memory();
    EXPECT_SAYS(DeviceSegment::import(device(), fd.get(), kGranule, true), Errc::layout,
                "the memory is not on Fake GPU 0 (device 0) but on device 1");
    EXPECT_EQ(traces_of_memory(), before);
    EXPECT_EQ(DeviceSegment::import(Device::of_ordinal(1), fd.get(), kGranule, true)->nbytes(),
              kGranule);
  });
}

TEST(DeviceSegment, more_than_is_free_is_out_of_memory_with_the_figures) {
  in_process({{"FAKE_CUDA_MEMORY", "8388608"}}, [] {
    const auto kept = DeviceSegment::create(device(), Transport::vmm, kGranule);
    for (const Transport transport : {Transport::vmm, Transport::legacy}) {
      for (const std::uint64_t nbytes : {4 * kGranule, 4 * kGranule + 1, UINT64_MAX}) {
        try {
          DeviceSegment::create(device(), transport, nbytes);
          ADD_FAILURE() << nbytes << " bytes of 6 MiB";
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), Errc::out_of_memory);
          EXPECT_EQ(error.requested(), nbytes);
          EXPECT_EQ(error.available(), 3 * kGranule);
          const std::string says = "Fake GPU 0 (device 0): " + std::to_string(nbytes) +
                                   " bytes requested, 6291456 bytes free of a device with 8388608";
          EXPECT_TRUE(std::string(error.what()).starts_with(says)) << error.what();
        }
      }
    }
    DeviceSegment::create(device(), Transport::legacy, 3 * kGranule);
    EXPECT_EQ(device().free_nbytes(), 3 * kGranule);
  });
}

TEST(DeviceSegment, is_made_without_network_cards_where_the_driver_refuses_them) {
  in_process({{kErrors, "cuMemCreate=801@1"}}, [] {
    EXPECT_EQ(DeviceSegment::create(device(), Transport::vmm, 1)->nbytes(), kGranule);
    EXPECT_EQ(calls_of("cuMemCreate"), 2U);
  });
  in_process({{kErrors, "cuMemCreate=801@1"}, {"FAKE_CUDA_ATTRIBUTES", "110=0"}}, [] {
    EXPECT_SAYS(DeviceSegment::create(device(), Transport::vmm, 1), Errc::cuda,
                "cuMemCreate failed: CUDA_ERROR_NOT_SUPPORTED");
    EXPECT_EQ(calls_of("cuMemCreate"), 1U);
  });
}

class DeviceSegmentCall : public ::testing::TestWithParam<const char*> {};

TEST_P(DeviceSegmentCall, that_fails_leaves_nothing_of_the_segment) {
  in_process({{kErrors, GetParam()}}, [] {
    const std::size_t before = open_descriptors();
    EXPECT_SAYS(DeviceSegment::create(device(), Transport::vmm, 1), Errc::cuda,
                "CUDA_ERROR_NOT_PERMITTED");
    EXPECT_SAYS(DeviceSegment::create(device(), Transport::legacy, 1), Errc::cuda,
                "CUDA_ERROR_NOT_PERMITTED");
    EXPECT_EQ(traces_of_memory(), 0);
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(calls_of("cuCtxPushCurrent_v2"), calls_of("cuCtxPopCurrent_v2"));
    EXPECT_EQ(device().free_nbytes(), device().memory_nbytes());
  });
}

INSTANTIATE_TEST_SUITE_P(making, DeviceSegmentCall,
                         ::testing::Values("cuMemGetAllocationGranularity=800;cuMemAlloc_v2=800",
                                           "cuMemCreate=800;cuMemAlloc_v2=800",
                                           "cuMemAddressReserve=800;cuMemAlloc_v2=800",
                                           "cuMemMap=800;cuMemAlloc_v2=800",
                                           "cuMemSetAccess=800;cuMemAlloc_v2=800"));

class DeviceSegmentImport : public ::testing::TestWithParam<const char*> {};

TEST_P(DeviceSegmentImport, that_fails_leaves_nothing_behind) {
  in_process({{kErrors, GetParam()}}, [] {
    const auto made = DeviceSegment::create(device(), Transport::vmm, 1);
    const UniqueFd fd = made->export_descriptor();
    const int memory = traces_of_memory();
    const std::size_t before = open_descriptors();
    EXPECT_SAYS(DeviceSegment::import(device(), fd.get(), 1, true), Errc::device_ipc_unavailable,
                "CUDA_ERROR_NOT_PERMITTED");
    EXPECT_EQ(traces_of_memory(), memory);
    EXPECT_EQ(open_descriptors(), before);
    const bool is_reserved = !std::string(GetParam()).starts_with("cuMemAddressReserve");
    const bool is_reached = calls_of("cuMemAddressReserve") == 2;
    EXPECT_EQ(calls_of("cuMemAddressFree"), is_reserved && is_reached ? 1U : 0U);
  });
}

INSTANTIATE_TEST_SUITE_P(importing, DeviceSegmentImport,
                         ::testing::Values("cuMemImportFromShareableHandle=800",
                                           "cuMemGetAllocationPropertiesFromHandle=800",
                                           "cuMemAddressReserve=800@2", "cuMemMap=800@2",
                                           "cuMemSetAccess=800@2", "cuMemRelease=800@1"));

TEST(DeviceSegment, is_undone_in_the_order_that_the_driver_wants) {
  in_process([] {
    const posix::testing::TemporaryDirectory directory;
    const std::string log = directory.path() + "/calls";
    ::setenv("FAKE_CUDA_LOG", log.c_str(), 1);
    DeviceSegment::create(device(), Transport::vmm, 1);
    std::string undone;
    std::ifstream calls(log);
    for (std::string pid, name; calls >> pid >> name;) {
      if (name == "cuMemUnmap" || name == "cuMemAddressFree" || name == "cuMemRelease") {
        undone += name + " ";
      }
    }
    EXPECT_EQ(undone, "cuMemUnmap cuMemAddressFree cuMemRelease ");
  });
}

TEST(DeviceSegment, ends_on_a_thread_that_never_used_the_device) {
  in_process([] {
    auto vmm = DeviceSegment::create(device(), Transport::vmm, 1);
    auto legacy = DeviceSegment::create(device(), Transport::legacy, 1);
    std::thread([&] {
      vmm.reset();
      legacy.reset();
    }).join();
    EXPECT_EQ(traces_of_memory(), 0);
    EXPECT_EQ(calls_of("cuCtxPushCurrent_v2"), calls_of("cuCtxPopCurrent_v2"));
  });
}

TEST(DeviceSegment, end_in_a_forked_child_does_nothing) {
  in_process([] {
    auto vmm = DeviceSegment::create(device(), Transport::vmm, 1);
    auto legacy = DeviceSegment::create(device(), Transport::legacy, 1);
    const UniqueFd fd = vmm->export_descriptor();
    auto imported = DeviceSegment::import(device(), fd.get(), 1, true);
    const int status = run_in_fork([&] {
      const auto count = [] {
        return calls_of("cuMemUnmap") + calls_of("cuMemFree_v2") + calls_of("cuMemRelease") +
               calls_of("cuMemAddressFree") + calls_of("cuCtxPushCurrent_v2");
      };
      const auto before = count();
      vmm.reset();
      legacy.reset();
      imported.reset();
      return count() == before ? 0 : 1;
    });
    EXPECT_EQ(status, 0);
    bytes_at(vmm->pointer())[0] = 3;
    EXPECT_EQ(bytes_at(imported->pointer())[0], 3);
    bytes_at(legacy->pointer())[0] = 3;
    EXPECT_EQ(run_in_fork([&] {
                try {
                  static_cast<void>(vmm->export_descriptor());
                } catch (const Error& error) {
                  return error.code() == Errc::forked ? 0 : 2;
                }
                return 1;
              }),
              0);
  });
}

}  // namespace
}  // namespace clara_fastio::cuda
