// SPDX-License-Identifier: Apache-2.0
// What a device can do, found out by doing it: the driver's attributes claim too much where a
// container, a virtual GPU or a sandbox is in between.
#include <chrono>
#include <string>
#include <thread>

#include "clara_fastio/error.hpp"
#include "cuda/device_segment.hpp"
#include "cuda/registration.hpp"
#include "posix/memfd.hpp"

namespace clara_fastio::cuda {
namespace {

// A multiple of every size of pages.
constexpr std::uint64_t kTrialNbytes = 64ULL << 10U;
// With that much free, a refusal of a piece of 2 MiB says nothing of how full the device is.
constexpr std::uint64_t kPlenty = 64ULL << 20U;

constexpr std::chrono::seconds kTrialTime{5};

struct NamedAttribute {
  Attribute attribute;
  const char* name;
};
constexpr NamedAttribute kVmm{kVirtualMemory, "VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED"};
constexpr NamedAttribute kDescriptors{kPosixDescriptor,
                                      "HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED"};
constexpr NamedAttribute kRegisters{kHostRegister, "HOST_REGISTER_SUPPORTED"};
constexpr NamedAttribute kMemoryOperations{kStreamMemoryOperations,
                                           "CAN_USE_64_BIT_STREAM_MEM_OPS"};
constexpr NamedAttribute kEvents{kIpcEvents, "IPC_EVENT_SUPPORTED"};

// Why the device lacks what the attribute stands for; empty when it has it.
std::string lack(const Device& device, const NamedAttribute& wanted) {
  if (device.attribute(wanted.attribute) != 0) return {};
  return std::string("the attribute ") + wanted.name + " is 0";
}

// The driver's words when it refuses the trial; empty when it succeeds. What would be otherwise
// another time is no refusal: a device that cannot be used at all, one that is too full to try, a
// process without descriptors.
template <typename Trial>
std::string refusal(Device& device, const Trial& trial) {
  try {
    trial();
    return {};
  } catch (const Error& error) {
    const bool is_lost = error.code() == Errc::cuda && is_fatal(error.os_error());
    if (is_lost || error.code() == Errc::system) throw;
    if (error.code() == Errc::out_of_memory && device.free_nbytes() < kPlenty) throw;
    return error.what();
  }
}

void try_registration(Device& device, bool read_only) {
  const posix::UniqueFd fd = posix::create_memfd("clara-fastio:trial");
  posix::set_size(fd.get(), kTrialNbytes);
  const auto access = read_only ? posix::Access::read_only : posix::Access::read_write;
  const posix::Map map = posix::Map::of(fd.get(), 0, kTrialNbytes, access);
  Registration::of(device, map.data(), kTrialNbytes, read_only);
}

// A stream of the trial's own, so that nobody's work is waited for.
class TrialStream {
 public:
  explicit TrialStream(const DriverApi& api) : api_(api) {
    api_.check(api_.stream_create(&stream_, kStreamNonBlocking), "cuStreamCreate");
  }
  // What was given to it may use memory that goes next. Its failure would not be the one to tell.
  ~TrialStream() {
    static_cast<void>(look());
    static_cast<void>(api_.stream_destroy(stream_));
  }
  TrialStream(const TrialStream&) = delete;
  TrialStream& operator=(const TrialStream&) = delete;

  [[nodiscard]] Stream get() const noexcept { return stream_; }

  void finish() const {
    const Result result = look();
    if (result == kNotReady) throw Error(Errc::cuda, "a trial on a stream was not done in 5 s");
    api_.check(result, "cuStreamQuery");
  }

 private:
  // Looks rather than waits: a driver that never gets there must not hold the process up.
  [[nodiscard]] Result look() const noexcept {
    const auto end = std::chrono::steady_clock::now() + kTrialTime;
    Result result = api_.stream_query(stream_);
    while (result == kNotReady && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      result = api_.stream_query(stream_);
    }
    return result;
  }

  const DriverApi& api_;
  Stream stream_ = nullptr;
};

void try_timeline(Device& device) {
  const posix::UniqueFd fd = posix::create_memfd("clara-fastio:trial");
  posix::set_size(fd.get(), kTrialNbytes);
  const posix::Map map = posix::Map::of(fd.get(), 0, kTrialNbytes, posix::Access::read_write);
  const auto registration = Registration::of(device, map.data(), kTrialNbytes, false);
  const Pointer word = registration->at(map.data());
  const DriverApi& api = device.api();
  const TrialStream stream(api);
  api.check(api.stream_write_value(stream.get(), word, 1, 0), "cuStreamWriteValue64");
  api.check(api.stream_wait_value(stream.get(), word, 1, kWaitGreaterEqual), "cuStreamWaitValue64");
  stream.finish();
  if (__atomic_load_n(reinterpret_cast<const std::uint64_t*>(map.data()), __ATOMIC_ACQUIRE) != 1) {
    throw Error(Errc::cuda, "cuStreamWriteValue64 wrote nothing that the host sees");
  }
}

class TrialEvent {
 public:
  explicit TrialEvent(const DriverApi& api) : api_(api) {
    api_.check(api_.event_create(&event_, kEventDisableTiming | kEventInterprocess),
               "cuEventCreate");
  }
  ~TrialEvent() { static_cast<void>(api_.event_destroy(event_)); }
  TrialEvent(const TrialEvent&) = delete;
  TrialEvent& operator=(const TrialEvent&) = delete;

  [[nodiscard]] Event get() const noexcept { return event_; }

 private:
  const DriverApi& api_;
  Event event_ = nullptr;
};

void try_events(const Device& device) {
  const DriverApi& api = device.api();
  const TrialStream stream(api);
  const TrialEvent event(api);
  IpcHandle handle{};
  api.check(api.ipc_event_handle(&handle, event.get()), "cuIpcGetEventHandle");
  api.check(api.event_record(event.get(), stream.get()), "cuEventRecord");
  api.check(api.stream_wait_event(stream.get(), event.get(), 0), "cuStreamWaitEvent");
  api.check(api.launch_host_function(stream.get(), [](void*) {}, nullptr), "cuLaunchHostFunc");
  stream.finish();
}

}  // namespace

void Device::try_vmm(Abilities& abilities) {
  const auto segment = DeviceSegment::create(*this, Transport::vmm, 1);
  const posix::UniqueFd fd = segment->export_descriptor();
  const auto imported = DeviceSegment::import(*this, fd.get(), segment->nbytes(), true);
  abilities.granularity = segment->nbytes();
  if (imported->is_read_only()) return;
  abilities.no_read_only =
      "cuMemSetAccess for reading failed: " + api_.describe(imported->read_only_result_);
}

Device::Abilities Device::try_abilities() {
  const CurrentContext current(*this);
  Abilities abilities;

  abilities.no_vmm = lack(*this, kVmm);
  if (abilities.no_vmm.empty()) abilities.no_vmm = lack(*this, kDescriptors);
  if (abilities.no_vmm.empty()) abilities.no_vmm = refusal(*this, [&] { try_vmm(abilities); });
  if (!abilities.no_vmm.empty()) abilities.no_read_only = abilities.no_vmm;

  abilities.no_legacy_ipc = refusal(*this, [&] {
    static_cast<void>(DeviceSegment::create(*this, Transport::legacy, 1)->export_handle());
  });

  abilities.no_registration = lack(*this, kRegisters);
  if (abilities.no_registration.empty()) {
    abilities.no_registration = refusal(*this, [&] { try_registration(*this, false); });
  }
  abilities.registers_read_only = abilities.no_registration.empty() &&
                                  attribute(kReadOnlyHostRegister) != 0 &&
                                  refusal(*this, [&] { try_registration(*this, true); }).empty();

  abilities.no_timeline = lack(*this, kMemoryOperations);
  if (abilities.no_timeline.empty()) abilities.no_timeline = abilities.no_registration;
  if (abilities.no_timeline.empty()) {
    abilities.no_timeline = refusal(*this, [&] { try_timeline(*this); });
  }

  abilities.no_events = lack(*this, kEvents);
  if (abilities.no_events.empty()) {
    abilities.no_events = refusal(*this, [&] { try_events(*this); });
  }
  return abilities;
}

}  // namespace clara_fastio::cuda
