// SPDX-License-Identifier: Apache-2.0
#include "client/state.hpp"

#include <utility>

#include "clara_fastio/error.hpp"

namespace clara_fastio {

void Context::State::check() const {
  if (connection->is_dead()) connection->throw_dead();
}

void Context::State::refer(std::uint32_t index, Entry* object) {
  const std::lock_guard lock(mutex);
  if (has_left) throw Error(Errc::closed, "the context '" + name + "' was closed in this process");
  if (object != nullptr) objects.insert(object);
  if (referenced[index]++ == 0) {
    tables->lock(index).references[slot / 64].fetch_or(1ull << (slot % 64));
  }
}

void Context::State::forget(std::uint32_t index, Entry* object) {
  const std::lock_guard lock(mutex);
  if (object != nullptr) objects.erase(object);
  const auto found = referenced.find(index);
  if (--found->second > 0) return;
  referenced.erase(found);
  tables->lock(index).references[slot / 64].fetch_and(~(1ull << (slot % 64)));
}

void Context::State::keep_draft(std::uint32_t index, Draft draft) {
  const std::lock_guard lock(mutex);
  drafts.insert_or_assign(index, std::move(draft));
}

std::optional<Context::State::Draft> Context::State::take_draft(std::uint32_t index,
                                                                std::uint64_t generation) {
  const std::lock_guard lock(mutex);
  const auto found = drafts.find(index);
  if (found == drafts.end()) return std::nullopt;
  Draft draft = std::move(found->second);
  drafts.erase(found);
  if (draft.generation != generation) return std::nullopt;
  return draft;
}

void Context::State::let_go(const std::unordered_set<std::uint64_t>& segments) {
  const std::lock_guard lock(mutex);
  for (Entry* object : objects) object->let_go(segments);
}

void Context::State::unmap() {
  {
    const std::lock_guard lock(mutex);
    for (Entry* object : objects) object->let_go_all();
  }
  (void)pool.drain();
  devices.clear();  // Before the segments, whose words it holds.
  segments.clear();
}

bool Context::State::leave() {
  const std::lock_guard lock(mutex);
  has_left = referenced.empty();
  return has_left;
}

bool Context::State::has_references() {
  const std::lock_guard lock(mutex);
  return !referenced.empty();
}

}  // namespace clara_fastio
