// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "clara_fastio/layout.hpp"

/// What a process and the host of its context say to each other over a SEQPACKET socket.
///
/// One message is one packet of fixed size. A client has one request in flight; the answer carries
/// the request's serial number. Descriptors ride on the answers. A second socket carries notices
/// from the host, which nobody answers.
namespace clara_fastio::protocol {

inline constexpr std::uint32_t kMagic = 0x43464331;
/// Peers of another major number do not understand each other; a minor number only adds.
inline constexpr std::uint16_t kMajor = 2;
inline constexpr std::uint16_t kMinor = 0;

enum class Operation : std::uint32_t {
  info = 1,            ///< who are you: answers the name; takes no slot
  hello = 2,           ///< descriptor: my pidfd; answers slot, tables, host pidfd, notice socket
  leave = 3,           ///< I hold nothing any more
  create = 4,          ///< a private allocation of `nbytes`
  declare = 5,         ///< a variable by name; answers its index, new or old
  produce = 6,         ///< memory for a variable, written by me
  produced = 7,        ///< I mapped it and wrote its head: seal it and show it
  open_segment = 8,    ///< a descriptor of the segment
  describe = 9,        ///< element type and dimensions of an allocation
  publish = 10,        ///< a name for an allocation
  free = 11,           ///< nobody finds it any more
  drop = 12,           ///< my unpublished allocation, or pooled one, is not needed
  freeze = 13,         ///< the kernel refuses every write from now on
  progress = 14,       ///< an answer before the answer: still working
  subscribe = 15,      ///< a place in a lane of a stream; answers lane and member
  unsubscribe = 16,    ///< I take no more frames
  unreserve = 17,      ///< the consumer that a lane was kept for will not come
  add_segment = 18,    ///< device memory of mine, with its descriptor or handle
  unmapped = 19,       ///< I have unmapped a segment whose maker waits for that
  notice_retire = 20,  ///< the segment is gone: unmap it when no array needs it
  notice_freed = 21,   ///< your allocation was freed by somebody
  notice_scarce = 22,  ///< memory is short: give back what you keep warm
};

/// Status of an answer: `kOk`, or the number of an `Errc`.
inline constexpr std::int32_t kOk = -1;

/// Flag of `create` and `produce`: send the descriptor, though it was sent before and got lost.
inline constexpr std::uint32_t kSendDescriptor = 1u << 31;

/// Flag of the answer to `create` and `produce`: make device memory, add it, and ask again.
inline constexpr std::uint32_t kNeedsSegment = 2;
/// Flag of `create` and `produce` on a device: give back what freed variables keep warm there.
inline constexpr std::uint32_t kIsScarce = 1u << 30;

/// By what a process finds the memory of a device segment. The token is random, so that no other
/// memory of any process has it.
struct DeviceIdentity {
  unsigned char token[16] = {};
  unsigned char handle[64] = {};  ///< of `Transport::legacy`
  std::int32_t pid = 0;           ///< of its maker, in the maker's own namespace
  std::uint32_t reserved = 0;
};

/// Flags of `subscribe`. A reservation has as its text the name of the edge, NUL, and the role of
/// who is awaited; so has `unreserve`.
enum SubscribeFlags : std::uint32_t {
  kShared = 1,    ///< one of several that share the frames of a lane
  kReserved = 2,  ///< the lane only: its consumer comes later
};

struct Message {
  std::uint32_t magic = kMagic;
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  Operation operation{};
  std::uint32_t serial = 0;
  std::int32_t status = kOk;
  std::int32_t os_error = 0;
  std::uint32_t index = layout::kNone;
  std::uint32_t slot = layout::kNone;
  std::uint64_t generation = 0;
  std::uint64_t nbytes = 0;
  std::uint64_t available = 0;
  layout::Location location{};
  ElementType element_type = ElementType::none;
  layout::Order order = layout::Order::row_major;
  std::uint32_t flags = 0;
  std::uint32_t ndim = 0;
  std::int64_t dimensions[kMaxDimensions] = {};
  std::uint32_t attributes_capacity = 0;
  std::uint32_t text_nbytes = 0;
  layout::QueueRecord
      queue{};  ///< of `subscribe`: policy, parameter, and the deadline as `spin_ns`
  std::uint32_t lane = layout::kNone;
  std::uint32_t member = layout::kNone;
  layout::DeviceRecord device{};
  DeviceIdentity identity{};
  char text[512] = {};

  void set_text(std::string_view value) noexcept;
  std::string_view text_view() const noexcept;
  void set_shape(const Shape& shape) noexcept;
  /// Throws: `Errc::shape` for numbers that are no shape.
  Shape shape() const;
};
static_assert(std::is_trivially_copyable_v<Message>);
static_assert(sizeof(Message) == 1096);

}  // namespace clara_fastio::protocol
