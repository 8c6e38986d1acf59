// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "abi.hpp"

namespace fake_cuda {

/// Names of all that is counted and logged.
inline constexpr std::array kFunctionNames = {
#define FAKE_CUDA_NAME(member, symbol, parameters) std::string_view(symbol),
    CLARA_FASTIO_CUDA_FUNCTIONS(FAKE_CUDA_NAME) CLARA_FASTIO_CUDA_OPTIONAL_FUNCTIONS(FAKE_CUDA_NAME)
#undef FAKE_CUDA_NAME
        std::string_view("fakeCudaFill"),
    std::string_view("fakeCudaSum"),
    std::string_view("fakeCudaAdd"),
    std::string_view("fakeCudaCapture"),
};

/// One of the names above; another one does not compile.
struct FunctionName {
  std::size_t index = 0;

  // Implicit, so that a call reads `begin("cuInit", ...)`.
  consteval FunctionName(const char* name) {
    while (kFunctionNames.at(index) != name) ++index;
  }
};

enum class Needs {
  nothing,
  driver,   ///< cuInit in this process, not in the parent of a fork
  context,  ///< also a current context, in which no kernel failed
};

/// Every exported function begins here: counts and logs the call, and says why it must be refused,
/// or success. `variant` is for injected errors.
Result begin(FunctionName function, Needs needs, std::string_view variant = {});

/// Marks the driver as started in this process.
Result start_driver();

/// While it lives, this thread is inside a host function, where the driver may not be called.
class HostFunctionScope {
 public:
  HostFunctionScope();
  HostFunctionScope(const HostFunctionScope&) = delete;
  HostFunctionScope& operator=(const HostFunctionScope&) = delete;
  ~HostFunctionScope();
};

}  // namespace fake_cuda
