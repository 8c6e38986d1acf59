// SPDX-License-Identifier: Apache-2.0
// What does mapping a cached variable cost, next to locking a mutex that nobody else wants?
// Usage: bench_map CPU
#include <pthread.h>

#include <array>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/mapping.hpp"
#include "serve.hpp"

namespace {

using clara_fastio::AccessMode;
using clara_fastio::Context;
using clara_fastio::Entry;
using clara_fastio::Mapping;

std::shared_ptr<Entry> make_variable(Context& context) {
  const std::array<std::int64_t, 1> dimensions{1024};
  clara_fastio::Declaration declaration;
  declaration.name = "volume";
  declaration.element_type = clara_fastio::ElementType::float32;
  declaration.shape = clara_fastio::Shape::of(dimensions);
  bool is_new = false;
  return context.declare(declaration, is_new);
}

/// The address keeps the compiler from dropping the step.
void use(const void* address) { asm volatile("" : : "r"(address) : "memory"); }

void map_once(Mapping& mapping) {
  if (!mapping.try_map()) std::abort();
  use(mapping.data());
  mapping.commit();
}

bench::Case each_time(std::shared_ptr<Entry> entry, AccessMode mode) {
  return [entry, mode](std::uint64_t steps) {
    for (; steps > 0; --steps) {
      Mapping mapping(entry, mode);
      map_once(mapping);
    }
  };
}

bench::Case again(std::shared_ptr<Entry> entry, AccessMode mode) {
  auto mapping = std::make_shared<Mapping>(std::move(entry), mode);
  return [mapping](std::uint64_t steps) {
    for (; steps > 0; --steps) map_once(*mapping);
  };
}

bench::Case mutex_pair(pthread_mutex_t& mutex) {
  return [&mutex](std::uint64_t steps) {
    for (; steps > 0; --steps) {
      pthread_mutex_lock(&mutex);
      use(&mutex);
      pthread_mutex_unlock(&mutex);
    }
  };
}

pthread_mutex_t robust_mutex() {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes);
  return mutex;
}

}  // namespace

int main(int argc, char** argv) {
  bench::pin(argc > 1 ? std::atoi(argv[1]) : -1);
  clara_fastio::HostOptions options;
  options.name = "bench-map-" + std::to_string(bench::clock_ns(CLOCK_MONOTONIC));
  const auto context = Context::host(options);
  const auto entry = make_variable(*context);
  pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t robust = robust_mutex();
  each_time(entry, AccessMode::write)(1);
  return bench::serve({
      {"mutex", mutex_pair(plain)},
      {"robust_mutex", mutex_pair(robust)},
      {"read", each_time(entry, AccessMode::read)},
      {"write", each_time(entry, AccessMode::write)},
      {"read_again", again(entry, AccessMode::read)},
      {"write_again", again(entry, AccessMode::write)},
  });
}
