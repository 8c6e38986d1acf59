// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "client/state.hpp"

namespace clara_fastio {
namespace {

std::vector<std::uint32_t> slots_in(const std::atomic<std::uint64_t>* words) {
  std::vector<std::uint32_t> slots;
  for (std::uint32_t slot = 0; slot < layout::kMaxProcesses; ++slot) {
    if ((words[slot / 64].load() >> (slot % 64) & 1) != 0) slots.push_back(slot);
  }
  return slots;
}

std::int32_t slot_number(std::uint32_t slot) {
  return slot < layout::kMaxProcesses ? static_cast<std::int32_t>(slot) : -1;
}

}  // namespace

std::vector<EntryInfo> Context::entries() {
  check();
  std::vector<EntryInfo> all;
  for (std::uint32_t index = 0; index < state_->tables->high_water(); ++index) {
    const client::Record record = state_->tables->read(index);
    if (record.state == layout::EntryState::free) continue;
    EntryInfo info;
    info.index = index;
    info.name = record.name;
    info.kind = record.kind;
    info.state = record.state;
    info.element_type = record.element_type;
    info.order = record.order;
    info.flags = record.flags;
    info.declared = record.shape;
    info.shape = record.shape;
    info.device = record.device;
    info.capacity = record.device.location.segment != 0 ? record.device.location.capacity
                                                        : record.location.capacity;
    info.segment = record.location.segment;
    info.segment_nbytes = record.location.segment_nbytes;
    info.producer = slot_number(record.producer);
    const layout::LockLine& line = state_->tables->lock(index);
    if (const std::uint64_t word = line.writer.load(); word != 0) {
      info.writer = static_cast<std::int32_t>(word & 0xff);
    }
    info.readers = slots_in(line.readers);
    info.references = slots_in(line.references);
    if (record.state == layout::EntryState::live && record.location.segment != 0) {
      // An entry that was freed between the two looks, or whose head lies, is listed as it is
      // known.
      try {
        if (const auto entry = find(record.name); entry) {
          if (const auto content = entry->content()) {
            info.version = content->version / 2;
            info.shape = content->shape;
          }
        }
      } catch (const Error& error) {
        const bool is_one_entry = error.code() == Errc::freed || error.code() == Errc::not_ready ||
                                  error.code() == Errc::layout || error.code() == Errc::seal;
        if (!is_one_entry) throw;
      }
    }
    all.push_back(std::move(info));
  }
  return all;
}

std::vector<ProcessInfo> Context::processes() const {
  check();
  std::vector<ProcessInfo> all;
  const layout::DirectoryHeader& header = state_->tables->header();
  for (std::uint32_t slot = 0; slot < layout::kMaxProcesses; ++slot) {
    const layout::SlotRecord& record = header.slots[slot];
    const std::uint32_t in_use = record.state.load();
    if (in_use == 0) continue;
    all.push_back({slot, record.pid, in_use == 2, record.since,
                   std::string(record.role, strnlen(record.role, sizeof(record.role)))});
  }
  return all;
}

}  // namespace clara_fastio
