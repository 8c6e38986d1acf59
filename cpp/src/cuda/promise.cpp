// SPDX-License-Identifier: Apache-2.0
#include "cuda/promise.hpp"

#include <chrono>
#include <cstring>
#include <set>
#include <thread>
#include <utility>

#include "kill_points.hpp"
#include "omissions.hpp"
#include "posix/fork_guard.hpp"
#include "settling.hpp"

namespace clara_fastio::cuda {
namespace {

/// All promises of the process, for the day on which its device fails.
struct Registry {
  std::mutex mutex;
  std::set<Promise*> promises;

  static Registry& get() {
    static auto* only = new Registry;  // Never destroyed: threads may outlive static objects.
    return *only;
  }
};

/// What the device's progress leaves to the host: the word, raised when the stream gets there.
struct Raise {
  std::atomic<std::uint64_t>& word;
  std::uint64_t value;
  std::shared_ptr<Registration> keeps_words;
};

void raise_word(void* data) {
  const std::unique_ptr<Raise> it(static_cast<Raise*>(data));
  settling::raise(it->word, it->value);
}

}  // namespace

void require(const DriverApi& api, Result result, const char* call) {
  if (is_fatal(result)) {
    Registry& all = Registry::get();
    const std::lock_guard lock(all.mutex);
    for (Promise* promise : all.promises) promise->settle();
  }
  api.check(result, call);
}

Promise::Promise(Device& device, Word word, std::uint32_t slot, Sync sync,
                 std::shared_ptr<Registration> registration)
    : device_(device),
      word_(word),
      slot_(slot),
      sync_(sync),
      registration_(std::move(registration)),
      fork_generation_(posix::fork_generation()) {
  Registry& all = Registry::get();
  const std::lock_guard lock(all.mutex);
  all.promises.insert(this);
}

Promise::~Promise() {
  if (fork_generation_ != posix::fork_generation()) return;
  {
    Registry& all = Registry::get();
    const std::lock_guard lock(all.mutex);
    all.promises.erase(this);
  }
  const DriverApi& api = device_.api();
  if (event_ != nullptr) api.event_destroy(event_);
  if (after_user_ != nullptr) api.event_destroy(after_user_);
  if (own_stream_ != nullptr) api.stream_destroy(own_stream_);
}

// What has to wait for the write of another process is settled by the next call that fails, or when
// this process has died.
void Promise::settle() noexcept { (void)settling::settle(word_.words, slot_); }

unsigned long long Promise::identity(Stream stream) const {
  const DriverApi& api = device_.api();
  if (api.stream_id != nullptr) {
    unsigned long long id = 0;
    // The driver counts from 0 or 1; ours say that there is one at all.
    if (api.stream_id(stream, &id) == kSuccess) return id + 1;
  }
  if (stream == kPerThreadStream) return 0;
  if (stream == kLegacyStream) stream = nullptr;
  return reinterpret_cast<unsigned long long>(stream) + 1;
}

bool Promise::is_ordered_on(Stream stream) {
  const std::lock_guard lock(mutex_);
  const auto id = identity(stream);
  return id != 0 && id == last_;
}

void Promise::order_on(Stream stream, std::uint64_t value) {
  const std::lock_guard lock(mutex_);
  // Who reads without the lock may be late: another thread has promised more meanwhile.
  if (word_.promised() == value) last_ = identity(stream);
}

void Promise::make(Stream stream, bool is_fresh) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t value = word_.promised() + 1;
  wait_for_room(value);
  signal(signal_stream(stream), value);
  CLARA_FASTIO_KILL_POINT("device.signalled");
  mine_.store(value);
  if (word_.promises == nullptr) return word_.submitted.store(value);
  const std::uint64_t promise = layout::promise::of(value, slot_);
  if (is_fresh) word_.fresh->store(value);
  word_.promises[value % layout::kPendingWrites].store(promise);
  CLARA_FASTIO_KILL_POINT("device.promise_named");
  word_.submitted.store(promise);
}

/// So many writes ahead of the device that nobody could tell whose they are: rather late than lost.
void Promise::wait_for_room(std::uint64_t value) const {
  if (word_.promises == nullptr) return;
  while (word_.reached.load() + layout::kPendingWrites <= value) {
    // A device that has failed never gets there.
    const Result result = device_.api().stream_query(nullptr);
    if (result != kNotReady) require(device_.api(), result, "cuStreamQuery");
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

Stream Promise::signal_stream(Stream stream) {
  const auto id = identity(stream);
  if (word_.is_reached() || (id != 0 && id == last_)) {
    last_ = id;
    return stream;
  }
  const DriverApi& api = device_.api();
  make_own_stream();
  require(api, api.event_record(after_user_, stream), "cuEventRecord");
  if (!CLARA_FASTIO_OMITTED("promise.after_user")) {
    require(api, api.stream_wait_event(own_stream_, after_user_, 0), "cuStreamWaitEvent");
  }
  const auto own = identity(own_stream_);
  if (last_ != own && !CLARA_FASTIO_OMITTED("promise.after_last")) {
    if (word_.signal.load() == layout::Signal::timeline && registration_) {
      require(api,
              api.stream_wait_value(own_stream_, registration_->at(&word_.reached),
                                    word_.promised(), kWaitGreaterEqual),
              "cuStreamWaitValue64");
    } else if (event_ != nullptr) {
      require(api, api.stream_wait_event(own_stream_, event_, 0), "cuStreamWaitEvent");
    }
  }
  last_ = own;
  return own_stream_;
}

void Promise::signal(Stream stream, std::uint64_t value) {
  const DriverApi& api = device_.api();
  switch (sync_) {
    case Sync::timeline:
      if (CLARA_FASTIO_OMITTED("promise.timeline")) {
        settling::raise(word_.reached, value);
        return word_.signal.store(layout::Signal::done);
      }
      require(api, api.stream_write_value(stream, registration_->at(&word_.reached), value, 0),
              "cuStreamWriteValue64");
      return word_.signal.store(layout::Signal::timeline);
    case Sync::events: {
      make_event();
      if (!CLARA_FASTIO_OMITTED("promise.event")) {
        require(api, api.event_record(event_, stream), "cuEventRecord");
      }
      auto later = std::make_unique<Raise>(Raise{word_.reached, value, registration_});
      require(api, api.launch_host_function(stream, raise_word, later.get()), "cuLaunchHostFunc");
      (void)later.release();  // The function owns it now.
      return word_.signal.store(layout::Signal::event);
    }
    case Sync::synchronize:
      if (!CLARA_FASTIO_OMITTED("promise.synchronize")) {
        require(api, api.stream_synchronize(stream), "cuStreamSynchronize");
      }
      settling::raise(word_.reached, value);
      return word_.signal.store(layout::Signal::done);
  }
}

void Promise::make_own_stream() {
  if (own_stream_ != nullptr) return;
  const DriverApi& api = device_.api();
  if (after_user_ == nullptr) {
    require(api, api.event_create(&after_user_, kEventDisableTiming), "cuEventCreate");
  }
  require(api, api.stream_create(&own_stream_, kStreamNonBlocking), "cuStreamCreate");
}

void Promise::make_event() {
  if (event_ == nullptr) {
    const DriverApi& api = device_.api();
    require(api, api.event_create(&event_, kEventDisableTiming | kEventInterprocess),
            "cuEventCreate");
  }
  IpcHandle handle{};
  require(device_.api(), device_.api().ipc_event_handle(&handle, event_), "cuIpcGetEventHandle");
  std::memcpy(word_.event, handle.bytes, sizeof(handle.bytes));
}

}  // namespace clara_fastio::cuda
