// SPDX-License-Identifier: Apache-2.0
#include "client/connection.hpp"

#include <span>

#include "clara_fastio/error.hpp"
#include "kill_points.hpp"
#include "posix/pidfd.hpp"
#include "posix/socket.hpp"

namespace clara_fastio::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

void throw_failure(const protocol::Message& answer) {
  if (answer.status == protocol::kOk) return;
  const auto code = static_cast<Errc>(answer.status);
  std::string text(answer.text_view());
  if (code == Errc::out_of_memory) {
    throw Error(code, std::move(text), answer.nbytes, answer.available);
  }
  throw Error(code, std::move(text), answer.os_error);
}

}  // namespace

void Connection::throw_dead() const {
  throw Error(Errc::host_died,
              "the process that hosts the context has ended, and the context with it; arrays that "
              "exist stay valid");
}

Answer Connection::request(protocol::Message message, int descriptor, milliseconds deadline) {
  const std::lock_guard lock(mutex_);
  if (!socket_) throw Error(Errc::closed, "the context was closed in this process");
  if (is_dead()) throw_dead();
  settle(deadline);
  if (lost_descriptors_ && (message.operation == protocol::Operation::create ||
                            message.operation == protocol::Operation::produce)) {
    message.flags |= protocol::kSendDescriptor;
  }
  Answer answer = exchange(message, descriptor, deadline);
  throw_failure(answer.message);
  return answer;
}

Answer Connection::exchange(protocol::Message message, int descriptor, milliseconds deadline) {
  message.serial = ++serial_;
  const auto bytes = std::as_bytes(std::span(&message, 1));
  const auto fds = std::span(&descriptor, descriptor >= 0 ? 1u : 0u);
  if (posix::send_message(socket_.get(), bytes, fds) != posix::IoResult::ok) {
    mark_dead();
    throw_dead();
  }
  unanswered_ = message.serial;
  CLARA_FASTIO_KILL_POINT("request.sent");
  Answer answer = receive(message.serial, deadline);
  unanswered_ = 0;
  return answer;
}

void Connection::settle(milliseconds deadline) {
  if (unanswered_ == 0) return;
  const Answer late = receive(unanswered_, deadline);
  unanswered_ = 0;
  lost_descriptors_ = lost_descriptors_ || !late.fds.empty();
  if (late.message.operation != protocol::Operation::create ||
      late.message.status != protocol::kOk) {
    return;
  }
  // Memory that nobody waited for goes back.
  protocol::Message drop;
  drop.operation = protocol::Operation::drop;
  drop.index = late.message.index;
  drop.generation = late.message.generation;
  (void)exchange(drop, -1, deadline);
}

Answer Connection::receive(std::uint32_t serial, milliseconds allowed) {
  auto deadline = steady_clock::now() + allowed;
  for (;;) {
    Answer answer;
    const auto buffer = std::as_writable_bytes(std::span(&answer.message, 1));
    posix::Received received = posix::receive_message(socket_.get(), buffer);
    if (received.result == posix::IoResult::closed) {
      mark_dead();
      throw_dead();
    }
    if (received.result == posix::IoResult::ok) {
      if (received.nbytes != buffer.size() || received.truncated ||
          answer.message.magic != protocol::kMagic) {
        throw Error(Errc::layout, "the host sent a message that cannot be read");
      }
      if (answer.message.serial != serial) continue;  // An answer given up on earlier.
      if (answer.message.operation == protocol::Operation::progress) {
        deadline = steady_clock::now() + allowed;
        continue;
      }
      answer.fds = std::move(received.fds);
      return answer;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
    if (left <= milliseconds::zero()) {
      throw Error(Errc::host_unresponsive, "the host of the context did not answer for " +
                                               std::to_string(allowed.count() / 1000) +
                                               " seconds; is it stopped?");
    }
    const int host = host_pidfd_.load();
    if (!posix::wait_readable(socket_.get(), host, left) && host >= 0 && posix::has_exited(host)) {
      mark_dead();
      throw_dead();
    }
  }
}

void Connection::close() noexcept {
  const std::lock_guard lock(mutex_);
  socket_.reset();
}

}  // namespace clara_fastio::client
