// SPDX-License-Identifier: Apache-2.0
#include "cuda/sync.hpp"

#include <cstdlib>
#include <string_view>

#include "clara_fastio/error.hpp"

namespace clara_fastio::cuda {
namespace {

using layout::Transport;

/// What a variable of the environment asks for; empty when it is not set.
std::string_view asked_for(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? std::string_view{} : std::string_view{text};
}

void add(std::string& refusals, const char* what, const std::string& why) {
  if (!refusals.empty()) refusals += "; ";
  refusals += std::string(what) + ": " + why;
}

[[noreturn]] void throw_unknown(const char* variable, std::string_view found, const char* words) {
  throw Error(Errc::invalid_argument, std::string(variable) + " is '" + std::string(found) +
                                          "'; it is one of " + words + ", or not set");
}

constexpr const char* kSyncVariable = "CLARA_FASTIO_CUDA_SYNC";
constexpr const char* kTransportVariable = "CLARA_FASTIO_CUDA_TRANSPORT";
constexpr const char* kByEnvironment = "the environment asks for another";

}  // namespace

const char* name_of(Sync sync) noexcept {
  switch (sync) {
    case Sync::timeline:
      return "timeline";
    case Sync::events:
      return "events";
    default:
      return "synchronize";
  }
}

const char* name_of(Transport transport) noexcept {
  switch (transport) {
    case Transport::vmm:
      return "vmm";
    case Transport::legacy:
      return "legacy";
    case Transport::staged:
      return "host";
    default:
      return "none";
  }
}

Choice<Sync> choose_sync(Device& device) {
  const Device::Abilities& can = device.abilities();
  const std::string_view asked = asked_for(kSyncVariable);
  std::string refusals;
  bool is_known = asked.empty();
  const auto offer = [&](Sync sync, const std::string& why_not) {
    is_known = is_known || asked == name_of(sync);
    if (asked.empty() ? why_not.empty() : asked == name_of(sync)) {
      if (why_not.empty()) return true;
      throw Error(Errc::cuda, std::string(kSyncVariable) + " asks for '" + std::string(asked) +
                                  "', which does not work on " + device.name() + ": " + why_not);
    }
    add(refusals, name_of(sync), why_not.empty() ? kByEnvironment : why_not);
    return false;
  };
  if (offer(Sync::timeline, can.no_timeline)) return {Sync::timeline, refusals};
  if (offer(Sync::events, can.no_events)) return {Sync::events, refusals};
  if (offer(Sync::synchronize, {})) return {Sync::synchronize, refusals};
  throw_unknown(kSyncVariable, asked, "timeline, events, synchronize");
}

Choice<Transport> choose_transport(Device& device, bool may_stage) {
  const Device::Abilities& can = device.abilities();
  const std::string_view asked = asked_for(kTransportVariable);
  if (!asked.empty() && asked != "vmm" && asked != "legacy" && asked != "host") {
    throw_unknown(kTransportVariable, asked, "vmm, legacy, host");
  }
  std::string refusals;
  const auto is_taken = [&](Transport transport, const std::string& why_not) {
    const bool is_wanted = asked.empty() || asked == name_of(transport);
    if (why_not.empty() && is_wanted) return true;
    add(refusals, name_of(transport), why_not.empty() ? kByEnvironment : why_not);
    return false;
  };
  if (is_taken(Transport::vmm, can.no_vmm)) return {Transport::vmm, refusals};
  if (is_taken(Transport::legacy, can.no_legacy_ipc)) return {Transport::legacy, refusals};
  const std::string not_allowed =
      may_stage ? "" : "it copies at each end, and fallback=\"host\" does not allow it";
  if (is_taken(Transport::staged, not_allowed)) return {Transport::staged, refusals};
  throw Error(Errc::device_ipc_unavailable,
              "memory of " + device.name() + " cannot be shared between processes: " + refusals);
}

}  // namespace clara_fastio::cuda
