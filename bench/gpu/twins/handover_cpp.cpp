// SPDX-License-Identifier: Apache-2.0
// How long is the way of device memory from the process that wrote it to the one that waits for it?
// Usage: handover_cpp CPU ping|pong CONTEXT NBYTES, one process for each of the two roles.
#include <chrono>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/mapping.hpp"
#include "serve.hpp"

namespace {

using clara_fastio::AccessMode;
using clara_fastio::Context;
using clara_fastio::Entry;
using clara_fastio::Mapping;
using namespace std::chrono_literals;

/// The thread's own default stream, so that nothing of the driver has to be loaded here.
constexpr std::uintptr_t kStream = 2;

std::shared_ptr<Entry> variable(Context& context, const std::string& name, std::int64_t nbytes) {
  clara_fastio::Declaration declaration;
  declaration.name = name;
  declaration.element_type = clara_fastio::ElementType::uint8;
  declaration.shape = clara_fastio::Shape::of(std::span(&nbytes, 1));
  declaration.memory = clara_fastio::layout::Memory::device;
  bool is_new = false;
  return context.declare(declaration, is_new);
}

void use(const std::shared_ptr<Entry>& entry, AccessMode mode) {
  Mapping mapping(entry, mode, kStream);
  if (!mapping.try_map()) {
    while (!mapping.wait(100ms)) {
    }
  }
  mapping.commit();
}

class Side {
 public:
  Side(std::shared_ptr<Entry> mine, std::shared_ptr<Entry> other)
      : mine_(std::move(mine)), other_(std::move(other)) {}

  void send() { use(mine_, AccessMode::write); }

  void receive() {
    ++received_;
    while (!other_->wait_for_version(received_, 100ms)) {
    }
    use(other_, AccessMode::read);
  }

 private:
  const std::shared_ptr<Entry> mine_;
  const std::shared_ptr<Entry> other_;
  std::uint64_t received_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  bench::pin(std::atoi(argv[1]));
  const bool is_ping = std::strcmp(argv[2], "ping") == 0;
  const auto context = Context::open(argv[3]);
  const std::int64_t nbytes = std::atoll(argv[4]);
  auto ping = variable(*context, "ping", nbytes);
  auto pong = variable(*context, "pong", nbytes);
  Side side(is_ping ? ping : pong, is_ping ? pong : ping);
  return bench::serve({
      {"touch",
       [&](std::uint64_t) {
         side.send();
         side.receive();
       }},
      {"hop",
       [&](std::uint64_t steps) {
         for (; steps > 0; --steps) {
           if (is_ping) side.send();
           side.receive();
           if (!is_ping) side.send();
         }
       }},
  });
}
