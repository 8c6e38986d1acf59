// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/device.hpp"

#include <charconv>
#include <cstring>
#include <string_view>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "client/device_cache.hpp"
#include "client/device_memory.hpp"
#include "cuda/device.hpp"
#include "cuda/sync.hpp"

namespace clara_fastio {
namespace {

cuda::Uuid uuid_of(const layout::DeviceId& device) {
  cuda::Uuid uuid{};
  std::memcpy(uuid.bytes, device.bytes, sizeof(uuid.bytes));
  return uuid;
}

}  // namespace

bool is_driver_loaded() noexcept { return cuda::DriverApi::if_loaded() != nullptr; }

DriverInfo driver_info() {
  DriverInfo info;
  try {
    const cuda::DriverApi& api = cuda::DriverApi::get();
    info.library = api.path;
    info.version = api.version;
  } catch (const Error& error) {
    info.refusal = error.what();
  }
  const client::DeviceCache::Counts counts = client::DeviceCache::get().counts();
  info.opens = counts.opens;
  info.mapped_nbytes = counts.mapped;
  info.evicted = counts.evicted;
  return info;
}

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> all;
  for (int i = 0; i < cuda::Device::count(); ++i) {
    cuda::Device& device = cuda::Device::of_ordinal(i);
    const cuda::Device::Abilities& can = device.abilities();
    DeviceInfo info;
    info.ordinal = i;
    info.uuid = cuda::text_of(device.uuid());
    info.name = device.name();
    info.memory_nbytes = device.memory_nbytes();
    info.free_nbytes = device.free_nbytes();
    info.compute_capability = 10 * device.attribute(cuda::kComputeCapabilityMajor) +
                              device.attribute(cuda::kComputeCapabilityMinor);
    info.granularity = can.granularity;
    info.no_vmm = can.no_vmm;
    info.no_legacy_ipc = can.no_legacy_ipc;
    info.no_timeline = can.no_timeline;
    info.no_events = can.no_events;
    info.no_read_only = can.no_read_only;
    info.no_registration = can.no_registration;
    info.registers_read_only = can.registers_read_only;
    all.push_back(std::move(info));
  }
  return all;
}

layout::DeviceId device_id(int ordinal) {
  layout::DeviceId id;
  std::memcpy(id.bytes, cuda::Device::of_ordinal(ordinal).uuid().bytes, sizeof(id.bytes));
  return id;
}

layout::DeviceId device_id(const std::string& uuid) {
  layout::DeviceId id;
  std::string_view rest = uuid;
  bool is_sound = rest.starts_with("GPU-") || rest.starts_with("MIG-");
  rest.remove_prefix(is_sound ? 4 : 0);
  std::size_t count = 0;
  while (is_sound && !rest.empty()) {
    if (rest[0] == '-') {
      rest.remove_prefix(1);
      continue;
    }
    unsigned value = 0;
    is_sound = rest.size() >= 2 && count < sizeof(id.bytes) &&
               std::from_chars(rest.data(), rest.data() + 2, value, 16).ptr == rest.data() + 2;
    if (!is_sound) break;
    id.bytes[count++] = static_cast<unsigned char>(value);
    rest.remove_prefix(2);
  }
  if (is_sound && count == sizeof(id.bytes)) return id;
  throw Error(Errc::invalid_argument,
              "'" + uuid +
                  "' is no device; one is a number from 0, \"cuda:0\", or its UUID such as "
                  "\"GPU-01234567-89ab-cdef-0123-456789abcdef\"");
}

std::string uuid_text(const layout::DeviceId& device) { return cuda::text_of(uuid_of(device)); }

int ordinal_of(const layout::DeviceId& device) {
  return cuda::Device::of_uuid(uuid_of(device)).ordinal();
}

TransportInfo transport_info(Entry& entry) {
  entry.check();
  TransportInfo info;
  const layout::DeviceRecord record = entry.device_record();
  info.memory = cuda::name_of(record.transport);
  if (record.memory == layout::Memory::host || record.transport == layout::Transport::none) {
    return info;
  }
  info.uuid = uuid_text(record.device);
  const std::shared_ptr<client::DeviceBlock> block = entry.open_device(record, false);
  cuda::Device& device = block->words->device();
  info.refusals = cuda::choose_transport(device, true).refusals;
  info.order = cuda::name_of(block->words->sync());
  info.no_better = block->words->refusals();
  info.is_own = block->segment && !block->segment->is_imported();
  info.is_read_only = block->segment && block->segment->is_read_only();
  return info;
}

std::string pin_refusal(Entry& entry) {
  entry.check();
  if (!entry.is_pinned()) return "it was not declared with pinned=True";
  return entry.pin_refusal();
}

void set_device_cache_limit(std::uint64_t nbytes) { client::DeviceCache::get().set_limit(nbytes); }

}  // namespace clara_fastio
