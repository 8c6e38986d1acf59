// SPDX-License-Identifier: Apache-2.0
#include "client/device_access.hpp"

#include <algorithm>
#include <utility>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "omissions.hpp"

namespace clara_fastio::client {
namespace {

/// Ends a scope's event whatever happens.
class ScopedEvent {
 public:
  explicit ScopedEvent(const cuda::DriverApi& api) : api_(api) {
    cuda::require(api, api.event_create(&event_, cuda::kEventDisableTiming), "cuEventCreate");
  }
  ~ScopedEvent() { api_.event_destroy(event_); }
  ScopedEvent(const ScopedEvent&) = delete;
  ScopedEvent& operator=(const ScopedEvent&) = delete;
  cuda::Event get() const noexcept { return event_; }

 private:
  const cuda::DriverApi& api_;
  cuda::Event event_ = nullptr;
};

}  // namespace

DeviceAccess::~DeviceAccess() {
  try {
    end(false);
  } catch (const std::exception&) {
    // The device has failed; whoever uses it next is told.
  }
}

std::shared_ptr<Block> DeviceAccess::begin(std::shared_ptr<Block> block, const Part& part,
                                           Kind kind, cuda::Stream stream) {
  const DeviceBlock& device = *block->device;
  cuda::Timeline& timeline = device.words->timeline(part.word);
  if (kind == Kind::read) {
    timeline.before_read(stream);
  } else {
    if (kind == Kind::update && timeline.is_poisoned(timeline.submitted())) {
      throw Error(Errc::lock_abandoned,
                  "its last writer died before its work on the device was done, and the content is "
                  "torn; write it anew with mode 'w'");
    }
    timeline.before_write(stream);
  }
  write_ = timeline.submitted();
  words_ = device.words;
  part_ = part;
  kind_ = kind;
  stream_ = stream;
  block_ = std::move(block);
  if (device.segment) return block_;
  try {
    return stage();
  } catch (...) {
    end(false);
    throw;
  }
}

/// Device memory of this process alone, with the content where that is wanted.
std::shared_ptr<Block> DeviceAccess::stage() {
  const cuda::CurrentContext current(words_->device());
  const cuda::DriverApi& api = words_->device().api();
  stage_ = words_->stage(std::max<std::uint64_t>(part_.nbytes, 1));
  if (kind_ != Kind::write && part_.nbytes > 0) {
    cuda::require(
        api,
        api.copy_to_device(stage_->pointer(), block_->data + part_.offset, part_.nbytes, stream_),
        "cuMemcpyHtoDAsync");
  }
  auto device = std::make_shared<DeviceBlock>(*block_->device);
  device->segment = stage_;
  device->data = stage_->pointer() - part_.offset;
  auto staged = std::make_shared<Block>(*block_);
  staged->device = std::move(device);
  return staged;
}

void DeviceAccess::add_stream(cuda::Stream stream) {
  if (stream == stream_) return;
  if (!CLARA_FASTIO_OMITTED("access.stream_added")) join(stream_, stream);
  others_.push_back(stream);
}

/// Has what is given to `to` from now on wait for what was given to `from` so far.
void DeviceAccess::join(cuda::Stream from, cuda::Stream to) {
  const cuda::CurrentContext current(words_->device());
  const cuda::DriverApi& api = words_->device().api();
  const ScopedEvent event(api);
  cuda::require(api, api.event_record(event.get(), from), "cuEventRecord");
  cuda::require(api, api.stream_wait_event(to, event.get(), 0), "cuStreamWaitEvent");
}

void DeviceAccess::end(bool keeps_content) {
  if (!block_) return;
  // Ended whatever happens: without a promise nobody waits for work that may never run.
  const auto block = std::exchange(block_, nullptr);
  const auto words = words_;
  const auto others = std::exchange(others_, {});
  const auto stage = std::exchange(stage_, nullptr);
  for (const cuda::Stream other : others) {
    if (!CLARA_FASTIO_OMITTED("access.streams_joined")) join(other, stream_);
  }
  if (keeps_content && stage && kind_ != Kind::read && part_.nbytes > 0) {
    const cuda::CurrentContext current(words->device());
    const cuda::DriverApi& api = words->device().api();
    cuda::require(
        api, api.copy_to_host(block->data + part_.offset, stage->pointer(), part_.nbytes, stream_),
        "cuMemcpyDtoHAsync");
  }
  cuda::Timeline& timeline = words->timeline(part_.word);
  if (kind_ == Kind::read) {
    timeline.after_read(stream_);
  } else {
    timeline.after_write(stream_, keeps_content && kind_ == Kind::write);
    if (kind_ == Kind::update) timeline.taint(write_);
  }
  if (stage) {
    words->end_stage(*stage, kind_ == Kind::read ? timeline.reads() : timeline.writes());
  }
}

bool DeviceAccess::is_poisoned() const noexcept {
  return kind_ != Kind::write && words_ && words_->timeline(part_.word).is_poisoned(write_);
}

}  // namespace clara_fastio::client
