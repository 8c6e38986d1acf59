// SPDX-License-Identifier: Apache-2.0
// Do processes that write different variables stay out of each other's way?
// Usage: bench_scaling CPU CONTEXT NAME, one process for each variable.
#include <pthread.h>

#include <array>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/mapping.hpp"
#include "serve.hpp"

namespace {

using clara_fastio::AccessMode;
using clara_fastio::Mapping;

/// The address keeps the compiler from dropping the step.
void use(const void* address) { asm volatile("" : : "r"(address) : "memory"); }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  bench::pin(std::atoi(argv[1]));
  const auto context = clara_fastio::Context::open(argv[2]);
  const std::array<std::int64_t, 1> dimensions{1024};
  clara_fastio::Declaration declaration;
  declaration.name = argv[3];
  declaration.shape = clara_fastio::Shape::of(dimensions);
  bool is_new = false;
  const auto entry = context->declare(declaration, is_new);
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  return bench::serve({
      {"variable",
       [&](std::uint64_t steps) {
         for (; steps > 0; --steps) {
           Mapping mapping(entry, AccessMode::write);
           if (!mapping.try_map()) std::abort();
           use(mapping.data());
           mapping.commit();
         }
       }},
      {"mutex",
       [&](std::uint64_t steps) {
         for (; steps > 0; --steps) {
           pthread_mutex_lock(&mutex);
           use(&mutex);
           pthread_mutex_unlock(&mutex);
         }
       }},
  });
}
