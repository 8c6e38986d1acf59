// SPDX-License-Identifier: Apache-2.0
// Hosts a context until its standard input ends: `crash_host NAME`.
#include <unistd.h>

#include <cstdio>

#include "clara_fastio/context.hpp"
#include "clara_fastio/error.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    clara_fastio::HostOptions options;
    options.name = argv[1];
    options.capacity = 4096;
    const auto context = clara_fastio::Context::host(options);
    std::puts("hosting");
    std::fflush(stdout);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    context->close();
    return 0;
  } catch (const clara_fastio::Error& error) {
    std::fprintf(stderr, "crash_host: %s\n", error.what());
    return 5;
  }
}
