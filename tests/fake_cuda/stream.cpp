// SPDX-License-Identifier: Apache-2.0
#include "stream.hpp"

#include <map>
#include <mutex>

#include "call.hpp"
#include "context.hpp"
#include "fake_cuda.hpp"

namespace fake_cuda {
namespace {

struct Streams {
  std::mutex mutex;
  std::map<Stream, std::shared_ptr<Queue>> created;
  std::map<DeviceNumber, std::shared_ptr<Queue>> legacy;

  static Streams& get() {
    static auto* const all = new Streams;
    return *all;
  }
};

/// The per-thread streams of one thread; they end with it.
struct ThreadStreams {
  std::map<DeviceNumber, std::shared_ptr<Queue>> queues;

  ThreadStreams() = default;
  ThreadStreams(const ThreadStreams&) = delete;
  ThreadStreams& operator=(const ThreadStreams&) = delete;
  ~ThreadStreams() {
    for (auto& [device, queue] : queues) queue->close();
  }
};

std::shared_ptr<Queue> find_or_create(std::map<DeviceNumber, std::shared_ptr<Queue>>* queues) {
  std::shared_ptr<Queue>& queue = (*queues)[current_device()];
  if (!queue) queue = Queue::create();
  return queue;
}

}  // namespace

std::shared_ptr<Queue> queue_of(Stream stream) {
  if (stream == kPerThreadStream) {
    thread_local ThreadStreams streams_of_thread;
    return find_or_create(&streams_of_thread.queues);
  }
  auto& streams = Streams::get();
  const std::lock_guard lock(streams.mutex);
  if (stream == nullptr || stream == kLegacyStream) return find_or_create(&streams.legacy);
  const auto found = streams.created.find(stream);
  return found == streams.created.end() ? nullptr : found->second;
}

Result enqueue(Stream stream, Queue::Operation operation) {
  const auto queue = queue_of(stream);
  if (!queue) return kInvalidHandle;
  if (queue->is_capturing()) return kCaptureUnsupported;
  queue->push(std::move(operation));
  return kSuccess;
}

Result driver::stream_create(Stream* stream, unsigned flags) {
  if (const Result refused = begin("cuStreamCreate", Needs::context)) return refused;
  if (stream == nullptr || (flags & ~kStreamNonBlocking) != 0) return kInvalidValue;
  auto queue = Queue::create();
  auto& streams = Streams::get();
  const std::lock_guard lock(streams.mutex);
  *stream = reinterpret_cast<Stream>(queue.get());  // Opaque to the caller.
  streams.created[*stream] = std::move(queue);
  return kSuccess;
}

Result driver::stream_destroy(Stream stream) {
  if (const Result refused = begin("cuStreamDestroy_v2", Needs::context)) return refused;
  auto& streams = Streams::get();
  const std::lock_guard lock(streams.mutex);
  const auto found = streams.created.find(stream);
  if (found == streams.created.end()) return kInvalidHandle;
  found->second->close();
  streams.created.erase(found);
  return kSuccess;
}

Result driver::stream_synchronize(Stream stream) {
  if (const Result refused = begin("cuStreamSynchronize", Needs::context)) return refused;
  const auto queue = queue_of(stream);
  if (!queue) return kInvalidHandle;
  return queue->is_capturing() ? kCaptureUnsupported : queue->synchronize();
}

Result driver::stream_query(Stream stream) {
  if (const Result refused = begin("cuStreamQuery", Needs::context)) return refused;
  const auto queue = queue_of(stream);
  if (!queue) return kInvalidHandle;
  return queue->is_capturing() ? kCaptureUnsupported : queue->query();
}

Result driver::stream_capturing(Stream stream, int* status) {
  if (const Result refused = begin("cuStreamIsCapturing", Needs::context)) return refused;
  const auto queue = queue_of(stream);
  if (!queue) return kInvalidHandle;
  if (status == nullptr) return kInvalidValue;
  *status = queue->is_capturing() ? 1 : kCaptureNone;
  return kSuccess;
}

Result driver::stream_id(Stream stream, unsigned long long* id) {
  if (const Result refused = begin("cuStreamGetId", Needs::context)) return refused;
  const auto queue = queue_of(stream);
  if (!queue) return kInvalidHandle;
  if (id == nullptr) return kInvalidValue;
  *id = queue->id();
  return kSuccess;
}

Result driver::launch_host_function(Stream stream, HostFunction function, void* data) {
  if (const Result refused = begin("cuLaunchHostFunc", Needs::context)) return refused;
  if (function == nullptr) return kInvalidValue;
  return enqueue(stream, [function, data] {
    const HostFunctionScope scope;
    function(data);
  });
}

}  // namespace fake_cuda

fake_cuda::Result fakeCudaCapture(fake_cuda::Stream stream, int on) {
  using namespace fake_cuda;
  if (const Result refused = begin("fakeCudaCapture", Needs::context)) return refused;
  const auto queue = queue_of(stream);
  if (!queue) return kInvalidHandle;
  queue->set_capturing(on != 0);
  return kSuccess;
}
