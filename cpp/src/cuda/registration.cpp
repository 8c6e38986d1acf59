// SPDX-License-Identifier: Apache-2.0
#include "cuda/registration.hpp"

#include <string>

#include "clara_fastio/error.hpp"
#include "posix/fork_guard.hpp"

namespace clara_fastio::cuda {
namespace {

void check_registered(const Device& device, Result result, std::uint64_t nbytes) {
  const std::string what = std::to_string(nbytes) + " bytes of shared memory for " + device.name();
  if (result != kOutOfMemory) return device.api().check(result, "cuMemHostRegister", what);
  throw Error(Errc::out_of_memory,
              "cuMemHostRegister failed: " + device.api().describe(result) + ": " + what +
                  "; where RLIMIT_MEMLOCK is low, raise it (ulimit -l)",
              nbytes, 0);
}

}  // namespace

Registration::Registration(Device& device, void* address, std::uint64_t nbytes)
    : device_(device),
      address_(static_cast<std::byte*>(address)),
      nbytes_(nbytes),
      fork_generation_(posix::fork_generation()) {}

std::shared_ptr<Registration> Registration::of(Device& device, void* address, std::uint64_t nbytes,
                                               bool read_only) {
  const CurrentContext current(device);
  const DriverApi& api = device.api();
  const unsigned flags =
      kRegisterPortable | kRegisterDeviceMap | (read_only ? kRegisterReadOnly : 0U);
  // Empty until it holds: one that somebody else made of the range is not ours to end.
  std::shared_ptr<Registration> registration(new Registration(device, address, 0));
  check_registered(device, api.register_host(address, nbytes, flags), nbytes);
  registration->nbytes_ = nbytes;
  api.check(api.host_device_pointer(&registration->pointer_, address, 0),
            "cuMemHostGetDevicePointer", device.name());
  return registration;
}

Registration::~Registration() {
  if (nbytes_ == 0 || fork_generation_ != posix::fork_generation()) return;
  const CurrentContext current(device_, std::nothrow);
  // Refused only when the context is lost, and the registration with it.
  static_cast<void>(device_.api().unregister_host(address_));
}

Pointer Registration::at(const void* address) const noexcept {
  return pointer_ + static_cast<Pointer>(static_cast<const std::byte*>(address) - address_);
}

}  // namespace clara_fastio::cuda
