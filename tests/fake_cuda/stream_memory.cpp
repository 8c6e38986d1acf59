// SPDX-License-Identifier: Apache-2.0
// Operations of a stream that touch memory: single words, copies and fills.
#include <algorithm>
#include <cstring>

#include "address_space.hpp"
#include "call.hpp"
#include "device.hpp"
#include "fault.hpp"
#include "stream.hpp"

namespace fake_cuda {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr unsigned kWriteWithoutBarrier = 1;

Result check_word(Pointer address) {
  if (attribute_of(kStreamMemoryOperations) == 0) return kNotSupported;
  if (address % sizeof(std::uint64_t) != 0) return kInvalidValue;
  return AddressSpace::get().holds(address, sizeof(std::uint64_t)) ? kSuccess : kInvalidValue;
}

std::uint64_t* word_at(Pointer address) { return static_cast<std::uint64_t*>(to_host(address)); }

void write_word(Pointer address, std::uint64_t value) {
  const bool is_legal = AddressSpace::get().touch({{address, sizeof value, Touch::write}}, [&] {
    // Release: the real one has a barrier before it. Without the flag's promise that none is
    // needed it would be wrong, with it this is only more than was asked for.
    __atomic_store_n(word_at(address), value, __ATOMIC_RELEASE);
  });
  if (!is_legal) mark_faulty();
}

void wait_for_word(Pointer address, std::uint64_t value) {
  for (Backoff backoff; !is_stopped(); backoff.sleep()) {
    std::uint64_t seen = 0;
    const bool is_legal = AddressSpace::get().touch(
        // Acquire: what follows in the stream sees what came before the write.
        {{address, sizeof seen, Touch::read}},
        [&] { seen = __atomic_load_n(word_at(address), __ATOMIC_ACQUIRE); });
    if (!is_legal) return mark_faulty();
    // The driver compares the difference, so that a counter may wrap.
    if (static_cast<std::int64_t>(seen - value) >= 0) return;
  }
}

/// Runs `body(offset, nbytes)` piece by piece, so that mappings can change between the pieces. What
/// it writes and reads is device memory, or 0 where it is any memory of the host.
template <class Body>
void in_pieces(std::size_t nbytes, Pointer written, Pointer read, Body body) {
  for (std::size_t offset = 0; offset < nbytes && !is_stopped(); offset += kPiece) {
    const std::size_t piece = std::min(kPiece, nbytes - offset);
    const Reach to{written + offset, written == 0 ? 0 : piece, Touch::write};
    const Reach from{read + offset, read == 0 ? 0 : piece, Touch::read};
    if (!AddressSpace::get().touch({to, from}, [&] { body(offset, piece); })) return mark_faulty();
  }
}

std::byte* bytes_at(Pointer address) { return static_cast<std::byte*>(to_host(address)); }

}  // namespace

Result driver::stream_write_value(Stream stream, Pointer address, std::uint64_t value,
                                  unsigned flags) {
  if (const Result refused = begin("cuStreamWriteValue64_v2", Needs::context)) return refused;
  if ((flags & ~kWriteWithoutBarrier) != 0) return kInvalidValue;
  if (const Result wrong = check_word(address)) return wrong;
  return enqueue(stream, [=] { write_word(address, value); });
}

Result driver::stream_wait_value(Stream stream, Pointer address, std::uint64_t value,
                                 unsigned flags) {
  if (const Result refused = begin("cuStreamWaitValue64_v2", Needs::context)) return refused;
  if (flags != kWaitGreaterEqual) return kNotSupported;
  if (const Result wrong = check_word(address)) return wrong;
  return enqueue(stream, [=] { wait_for_word(address, value); });
}

/// The host's side may be any memory; not registered, it is pageable memory. The real driver copies
/// that before the call returns; here it stays in use until the stream is done.
Result driver::copy_to_device(Pointer to, const void* from, std::size_t nbytes, Stream stream) {
  if (const Result refused = begin("cuMemcpyHtoDAsync_v2", Needs::context)) return refused;
  if (from == nullptr || !AddressSpace::get().holds(to, nbytes)) return kInvalidValue;
  return enqueue(stream, [=] {
    in_pieces(nbytes, to, 0, [=](std::size_t offset, std::size_t piece) {
      std::memcpy(bytes_at(to + offset), static_cast<const std::byte*>(from) + offset, piece);
    });
  });
}

Result driver::copy_to_host(void* to, Pointer from, std::size_t nbytes, Stream stream) {
  if (const Result refused = begin("cuMemcpyDtoHAsync_v2", Needs::context)) return refused;
  if (to == nullptr || !AddressSpace::get().holds(from, nbytes)) return kInvalidValue;
  return enqueue(stream, [=] {
    in_pieces(nbytes, 0, from, [=](std::size_t offset, std::size_t piece) {
      std::memcpy(static_cast<std::byte*>(to) + offset, bytes_at(from + offset), piece);
    });
  });
}

Result driver::copy_on_device(Pointer to, Pointer from, std::size_t nbytes, Stream stream) {
  if (const Result refused = begin("cuMemcpyDtoDAsync_v2", Needs::context)) return refused;
  auto& space = AddressSpace::get();
  if (!space.holds(to, nbytes) || !space.holds(from, nbytes)) return kInvalidValue;
  return enqueue(stream, [=] {
    in_pieces(nbytes, to, from, [=](std::size_t offset, std::size_t piece) {
      std::memmove(bytes_at(to + offset), bytes_at(from + offset), piece);
    });
  });
}

Result driver::fill(Pointer to, unsigned char value, std::size_t nbytes, Stream stream) {
  if (const Result refused = begin("cuMemsetD8Async", Needs::context)) return refused;
  if (!AddressSpace::get().holds(to, nbytes)) return kInvalidValue;
  return enqueue(stream, [=] {
    in_pieces(nbytes, to, 0, [=](std::size_t offset, std::size_t piece) {
      std::memset(bytes_at(to + offset), value, piece);
    });
  });
}

}  // namespace fake_cuda
