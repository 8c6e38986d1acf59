// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <map>
#include <string>

/// What the bench programs share. They do not choose what is compared, how often, or in which
/// order: whoever started them writes "CASE STEPS" to their standard input, again and again, and
/// gets one line of JSON for each. So twins interleave, whatever language they are in.
namespace bench {

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

inline long sleeps() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw;
}

/// Keeps the calling thread, and those it will start, on one processor; -1 leaves it free.
inline void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    std::perror("sched_setaffinity");
    std::exit(1);
  }
}

/// Does a case for so many steps.
using Case = std::function<void(std::uint64_t)>;

/// Answers until the end of the input.
inline int serve(const std::map<std::string, Case>& cases) {
  std::puts("ready");
  std::fflush(stdout);
  std::string name;
  std::uint64_t steps = 0;
  while (std::cin >> name >> steps) {
    const auto found = cases.find(name);
    if (found == cases.end()) {
      std::fprintf(stderr, "there is no case %s\n", name.c_str());
      return 2;
    }
    const long sleeps_before = sleeps();
    const std::uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const std::uint64_t wall = clock_ns(CLOCK_MONOTONIC);
    found->second(steps);
    const std::uint64_t wall_ns = clock_ns(CLOCK_MONOTONIC) - wall;
    const std::uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    std::printf("{\"steps\": %llu, \"wall_ns\": %llu, \"cpu_ns\": %llu, \"sleeps\": %ld}\n",
                static_cast<unsigned long long>(steps), static_cast<unsigned long long>(wall_ns),
                static_cast<unsigned long long>(cpu_ns), sleeps() - sleeps_before);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace bench
