// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <thread>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/mapping.hpp"

namespace clara_fastio::testing {

/// Longer than any test waits: a lost wake-up shows as this much.
inline constexpr std::chrono::seconds kLong{40};

inline std::string unique_name() {
  static int count = 0;
  return "test-" + std::to_string(getpid()) + "-" + std::to_string(++count);
}

inline HostOptions options(std::uint32_t capacity = 1024) {
  HostOptions it;
  it.name = unique_name();
  it.capacity = capacity;
  return it;
}

/// One more connection of this process, with a slot of its own: a stranger to the others.
inline std::shared_ptr<Context> stranger(Context& host, const std::string& role = "stranger") {
  return Context::open_socket(host.connect(role));
}

inline Shape shape_of(std::initializer_list<std::int64_t> dimensions) {
  return Shape::of(std::span(dimensions.begin(), dimensions.size()));
}

inline std::shared_ptr<Entry> declare(Context& context, const std::string& name, Shape shape,
                                      ElementType type = ElementType::uint8,
                                      const std::string& role = "") {
  Declaration declaration;
  declaration.name = name;
  declaration.shape = shape;
  declaration.element_type = type;
  declaration.producer_role = role;
  bool is_new = false;
  return context.declare(declaration, is_new);
}

inline Errc code_of(auto&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return static_cast<Errc>(-1);
}

/// Maps, waiting as long as it takes up to `time`. Returns whether it is mapped.
inline bool map_within(Mapping& map, std::chrono::nanoseconds time = kLong) {
  const auto end = std::chrono::steady_clock::now() + time;
  bool done = map.try_map();
  while (!done && std::chrono::steady_clock::now() < end) {
    done = map.wait(end - std::chrono::steady_clock::now());
  }
  return done;
}

inline void fill(const std::shared_ptr<Entry>& entry, int value) {
  Mapping map(entry, AccessMode::write);
  ASSERT_TRUE(map_within(map));
  std::memset(map.data(), value, map.nbytes());
  map.commit();
}

/// Whether the whole content has this value.
inline bool holds(const std::shared_ptr<Entry>& entry, int value) {
  Mapping map(entry, AccessMode::read);
  if (!map_within(map)) return false;
  for (std::uint64_t i = 0; i < map.nbytes(); ++i) {
    if (static_cast<int>(map.data()[i]) != value) return false;
  }
  return true;
}

/// Looks again and again, up to `time`, until it is so.
inline bool becomes(auto&& condition, std::chrono::milliseconds time = std::chrono::seconds(5)) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(2000);
  }
  return true;
}

}  // namespace clara_fastio::testing
