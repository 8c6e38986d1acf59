// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "host/server.hpp"
#include "kill_points.hpp"
#include "posix/futex.hpp"

namespace clara_fastio::host {

using layout::EntryKind;
using layout::EntryState;

/// Nobody finds the entry any more; those who hold it go on.
void Server::doom(std::uint32_t index) {
  const layout::EntryRecord& record = directory_.record(index);
  const bool can_stay_warm = record.kind == EntryKind::variable && record.location.segment != 0 &&
                             (record.flags & layout::kFrozenOnCommit) == 0;
  const bool is_on_device = record.device.location.segment != 0;
  doomed_.push_back({index, record.producer, record.kind, can_stay_warm,
                     is_on_device ? record.device.location.capacity : record.location.capacity,
                     is_on_device ? layout::Memory::device : layout::Memory::host});
  if (record.state == EntryState::live) directory_.unlink(index);
  directory_.write(index, [](layout::EntryRecord& target) { target.state = EntryState::doomed; });
  // Whoever waits for new content or for the lock looks again and finds the entry freed.
  layout::LockLine& line = directory_.lock(index);
  line.free.fetch_add(1);
  posix::futex_wake_all(line.free);
  if (const auto stream = streams_.find(index); stream != streams_.end()) {
    stream->second.announce_end();
  }
}

/// Gives memory and record back. Requires: nobody refers to the entry, no device works on it, and
/// it has no name.
void Server::reclaim(std::uint32_t index) {
  const layout::Location location = directory_.record(index).location;
  const layout::DeviceLocation device = directory_.record(index).device.location;
  drop_stream(index);
  drop_device_words(index);
  const auto [first, last] = replaced_.equal_range(index);
  for (auto one = first; one != last; ++one) {
    release_block(one->second.location);
    release_device(one->second.device);
  }
  replaced_.erase(first, last);
  directory_.give_back(index);
  release_block(location);
  release_device(device);
}

/// Takes a doomed entry from the list; the one freed last is looked for most often.
void Server::forget_doomed(std::uint32_t index) noexcept {
  const auto found = std::find_if(doomed_.rbegin(), doomed_.rend(),
                                  [index](const Doomed& one) { return one.index == index; });
  if (found != doomed_.rend()) doomed_.erase(std::next(found).base());
}

/// A free record. What freed variables keep warm goes before anybody is refused.
std::uint32_t Server::take_record() {
  try {
    return directory_.take();
  } catch (const Error& error) {
    if (error.code() != Errc::out_of_memory) throw;
  }
  sweep(/*keep_warm=*/false);
  return directory_.take();
}

/// Gives back what is kept warm: the host's at once, that of the asker's peers when they hear of
/// it.
void Server::make_room(const Client& asker) {
  sweep(/*keep_warm=*/false);
  for (auto& [id, client] : clients_) {
    // Who has not read the last notices has been told, or hears soon that segments are gone.
    if (client.get() != &asker && client->unsent_notices.empty()) {
      notify(*client, {protocol::Operation::notice_scarce, layout::kNone, 0, 0});
    }
  }
}

/// Frees what was doomed and is held by nobody any more.
void Server::sweep(bool keep_warm) {
  std::vector<std::uint32_t> gone;
  std::vector<bool> goes(doomed_.size());
  // Bytes kept for each producer, of the host and of devices.
  std::map<std::pair<std::uint32_t, layout::Memory>, std::uint64_t> warm;
  for (std::size_t at = doomed_.size(); at-- > 0;) {
    const Doomed& one = doomed_[at];
    const bool has_producer = one.producer != layout::kNone;
    // The producer of hand-made memory keeps its own pool and says when it drops something.
    if (has_producer && one.kind == EntryKind::allocation) continue;
    std::uint64_t& kept = warm[{one.producer, one.memory}];
    if (keep_warm && has_producer && one.can_stay_warm &&
        kept + one.capacity <= options_.pool_limit) {
      kept += one.capacity;
      continue;
    }
    if (directory_.is_referenced(one.index) || !is_device_idle(one.index)) continue;
    goes[at] = true;
    gone.push_back(one.index);
  }
  // In one go, for a hundred thousand may go at once.
  std::size_t kept = 0;
  for (std::size_t at = 0; at < doomed_.size(); ++at) {
    if (!goes[at]) doomed_[kept++] = doomed_[at];
  }
  doomed_.resize(kept);
  for (const std::uint32_t index : gone) reclaim(index);
  // A segment of its own can go while stale arrays live: each mapper keeps its own map. A block of
  // an arena cannot, for its bytes would be given to a stranger.
  std::erase_if(replaced_, [this](const auto& one) {
    const Segment* segment = segments_.find(one.second.location.segment);
    const bool is_shared =
        (segment != nullptr && segment->is_arena) || one.second.device.segment != 0;
    if (is_shared && directory_.is_referenced(one.first)) return false;
    const auto words = devices_.find(one.first);
    if (words != devices_.end() && !words->second.are_kept(one.second.promises)) return false;
    release_block(one.second.location);
    release_device(one.second.device);
    return true;
  });
}

/// Takes everything back that a process held, which is dead or has left.
///
/// Both events of every entry are bumped, whether or not the process was named there: it may have
/// died between the release of a word and the wake-up that follows it.
void Server::repair(const Client& client, bool has_died) {
  const std::uint32_t slot = client.slot;
  const std::uint32_t word = slot / 64;
  const std::uint64_t others = ~(1ull << (slot % 64));
  // While its locks are still its own: nobody may build on a promise that is not settled.
  (void)settle_devices(client);
  repair_streams(client, has_died);
  for (std::uint32_t index = 0; index < directory_.high_water(); ++index) {
    layout::LockLine& line = directory_.lock(index);
    std::uint64_t mine = client.writer_word();
    line.writer.compare_exchange_strong(mine, 0);
    line.readers[word].fetch_and(others);
    line.references[word].fetch_and(others);
    line.sleepers[word].fetch_and(others);
    if (index == 0) CLARA_FASTIO_KILL_POINT("host.repair.first_entry");
    const layout::EntryRecord& record = directory_.record(index);
    if (record.state != EntryState::free && record.producer == slot) {
      if (record.state == EntryState::unpublished) doom(index);
      directory_.write(index, [has_died](layout::EntryRecord& target) {
        target.producer = layout::kNone;
        if (has_died) target.flags |= layout::kProducerDied;
      });
    }
    line.free.fetch_add(1);
    line.drained.fetch_add(1);
    std::uint64_t sleepers = 0;
    for (std::uint32_t i = 0; i < layout::kBitWords; ++i) sleepers |= line.sleepers[i].load();
    if (sleepers != 0) {
      posix::futex_wake_all(line.free);
      posix::futex_wake_all(line.drained);
    }
  }
  for (Doomed& one : doomed_) {
    if (one.producer == slot) one.producer = layout::kNone;
  }
  for (auto& [id, segment] : segments_.all()) segment->mappers.reset(slot);
  for (const std::uint64_t segment : segments_.orphan(slot)) retire(segment);
  lose_content_of(slot);
  finish_retirements();
  sweep();
}

}  // namespace clara_fastio::host
