// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/error.hpp"
#include "clara_fastio/mapping.hpp"
#include "client/block.hpp"
#include "client/device_access.hpp"
#include "client/segment_cache.hpp"
#include "kill_points.hpp"

namespace clara_fastio {

using client::DeviceAccess;

/// Orders the stream among the work of others. Requires: the lock, or a look without it.
void Mapping::begin_on_device() {
  if (!block_->device) return;
  const auto kind = mode_ == AccessMode::write    ? DeviceAccess::Kind::write
                    : mode_ == AccessMode::update ? DeviceAccess::Kind::update
                                                  : DeviceAccess::Kind::read;
  device_ = std::make_unique<DeviceAccess>();
  try {
    block_ = device_->begin(block_, {0, 0, nbytes_}, kind, reinterpret_cast<cuda::Stream>(stream_));
  } catch (const Error& error) {
    if (error.code() != Errc::peer_died && error.code() != Errc::lock_abandoned) throw;
    throw Error(error.code(), "the content of " + entry_->label() + ": " + error.what());
  }
  CLARA_FASTIO_KILL_POINT("device.begun");
}

void Mapping::end_on_device(bool keeps_content) {
  if (device_ && device_->is_begun()) device_->end(keeps_content);
}

/// The parent's driver is not this child's, which must not touch it.
void Mapping::abandon_on_device() noexcept { (void)device_.release(); }

bool Mapping::is_poisoned() const noexcept { return device_ && device_->is_poisoned(); }

void Mapping::throw_poisoned() {
  throw Error(Errc::peer_died, "the producer of " + entry_->label() +
                                   " died before its work on the device was done; what was read "
                                   "of version " +
                                   std::to_string(version()) + " was torn");
}

void Mapping::try_pin() noexcept { client::pin_if_wanted(*entry_, *block_); }

std::uintptr_t Mapping::device_data() const noexcept {
  return block_->device ? static_cast<std::uintptr_t>(block_->device->data) : 0;
}

void Mapping::add_stream(std::uintptr_t stream) {
  if (device_) device_->add_stream(reinterpret_cast<cuda::Stream>(stream));
}

bool Mapping::is_write_protected() const noexcept {
  if (is_writable()) return false;
  if (!block_->device) return block_->segment->access == posix::Access::read_only;
  return block_->device->segment && block_->device->segment->is_read_only();
}

}  // namespace clara_fastio
