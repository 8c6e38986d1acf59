// SPDX-License-Identifier: Apache-2.0
// How long is the way of a content from the process that wrote it to the one that waits for it?
// Usage: bench_handover CPU ping|pong CONTEXT NBYTES, one process for each of the two roles.
#include <array>
#include <chrono>
#include <cstring>

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

std::shared_ptr<Entry> variable(Context& context, const std::string& name, std::int64_t nbytes) {
  clara_fastio::Declaration declaration;
  declaration.name = name;
  declaration.element_type = clara_fastio::ElementType::uint8;
  declaration.shape = clara_fastio::Shape::of(std::span(&nbytes, 1));
  bool is_new = false;
  return context.declare(declaration, is_new);
}

void map(Mapping& mapping) {
  if (mapping.try_map()) return;
  while (!mapping.wait(100ms)) {
  }
}

/// The first and the last byte stand for the content: a hop costs the same whatever its size is.
class Side {
 public:
  Side(std::shared_ptr<Entry> mine, std::shared_ptr<Entry> other)
      : mine_(std::move(mine)), other_(std::move(other)) {}

  void send() {
    ++sent_;
    Mapping mapping(mine_, AccessMode::write);
    map(mapping);
    mapping.data()[0] = mapping.data()[mapping.nbytes() - 1] = static_cast<std::byte>(sent_);
    mapping.commit();
  }

  void receive() {
    ++received_;
    while (!other_->wait_for_version(received_, 100ms)) {
    }
    Mapping mapping(other_, AccessMode::read);
    map(mapping);
    const auto expected = static_cast<std::byte>(received_);
    if (mapping.data()[0] != expected || mapping.data()[mapping.nbytes() - 1] != expected) {
      std::fputs("the wrong content arrived\n", stderr);
      std::abort();
    }
    mapping.commit();
  }

  /// Brings every page of both into this process.
  void touch() {
    {
      Mapping mapping(mine_, AccessMode::write);
      map(mapping);
      std::memset(mapping.data(), 1, mapping.nbytes());
      mapping.commit();
      ++sent_;
    }
    receive_all();
  }

 private:
  void receive_all() {
    ++received_;
    while (!other_->wait_for_version(received_, 100ms)) {
    }
    Mapping mapping(other_, AccessMode::read);
    map(mapping);
    if (std::memchr(mapping.data(), 0, mapping.nbytes()) != nullptr) std::abort();
    mapping.commit();
  }

  const std::shared_ptr<Entry> mine_;
  const std::shared_ptr<Entry> other_;
  std::uint64_t sent_ = 0;
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
      {"touch", [&](std::uint64_t) { side.touch(); }},
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
