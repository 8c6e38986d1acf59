// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "context.hpp"
#include "fake_cuda.hpp"
#include "fault.hpp"
#include "injected_errors.hpp"
#include "settings.hpp"

namespace fake_cuda {
namespace {

std::array<std::atomic<unsigned long long>, kFunctionNames.size()> counts;
std::atomic<pid_t> started_by = 0;
thread_local bool in_host_function = false;

void log_call(std::string_view name) {
  static const int file =
      Settings::get().log.empty()
          ? -1
          : ::open(Settings::get().log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return;
  const std::string line = std::to_string(::getpid()) + " " + std::string(name) + "\n";
  // One write, so that lines of different processes do not mix.
  if (::write(file, line.data(), line.size()) < 0) refuse_setting("FAKE_CUDA_LOG", line);
}

bool is_missing(std::string_view name) {
  return std::ranges::find(Settings::get().missing, name) != Settings::get().missing.end();
}

}  // namespace

Result begin(FunctionName function, Needs needs, std::string_view variant) {
  const std::string_view name = kFunctionNames[function.index];
  counts[function.index].fetch_add(1);
  log_call(name);
  if (is_missing(name)) return kNotSupported;
  if (needs != Needs::nothing) {
    if (started_by.load() != ::getpid()) return kNotInitialized;
    if (is_ending()) return kDeinitialized;
    if (in_host_function) return kNotPermitted;
  }
  if (const Result wanted = injected_error(name, variant)) return wanted;
  if (needs != Needs::context) return kSuccess;
  if (const Result refused = check_current_context()) return refused;
  return is_faulty() ? kIllegalAddress : kSuccess;
}

Result start_driver() {
  pid_t nobody = 0;
  if (started_by.compare_exchange_strong(nobody, ::getpid())) {
    // Registered now, and therefore called before the destructors of what the program made earlier.
    std::atexit(mark_ending);
    return kSuccess;
  }
  return nobody == ::getpid() ? kSuccess : kNotInitialized;
}

HostFunctionScope::HostFunctionScope() { in_host_function = true; }
HostFunctionScope::~HostFunctionScope() { in_host_function = false; }

}  // namespace fake_cuda

void fakeCudaCounts(const char* name, unsigned long long* count) {
  *count = 0;
  for (std::size_t index = 0; index < fake_cuda::kFunctionNames.size(); ++index) {
    if (fake_cuda::kFunctionNames[index] == name) *count = fake_cuda::counts[index].load();
  }
}
