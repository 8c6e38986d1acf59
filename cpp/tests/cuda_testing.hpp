// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "clara_fastio/error.hpp"
#include "cuda/driver_abi.hpp"

namespace clara_fastio::cuda::testing {

/// The statement must throw an Error with this code and this text in its message.
#define EXPECT_SAYS(statement, errc, text)                                           \
  do {                                                                               \
    try {                                                                            \
      static_cast<void>(statement);                                                  \
      ADD_FAILURE() << #statement " did not throw";                                  \
    } catch (const ::clara_fastio::Error& error) {                                   \
      EXPECT_EQ(error.code(), errc) << error.what();                                 \
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos)             \
          << "  it says: " << error.what() << "\nand misses: " << std::string(text); \
    }                                                                                \
  } while (false)

/// Variables of the environment by name; none is not set.
using Environment = std::map<std::string, std::optional<std::string>>;

inline void set_variable(const std::string& name, const std::optional<std::string>& value) {
  value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
}

/// Has the variables in the environment for a scope.
class ScopedEnvironment {
 public:
  explicit ScopedEnvironment(const Environment& wanted) {
    for (const auto& [name, value] : wanted) {
      const char* const found = std::getenv(name.c_str());
      before_[name] = found == nullptr ? std::nullopt : std::optional<std::string>(found);
      set_variable(name, value);
    }
  }
  ~ScopedEnvironment() {
    for (const auto& [name, value] : before_) set_variable(name, value);
  }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  Environment before_;
};

/// To the standard error, because a process of EXPECT_EXIT prints no failures itself.
inline void print_failures() {
  const auto& result = *::testing::UnitTest::GetInstance()->current_test_info()->result();
  for (int i = 0; i < result.total_part_count(); ++i) {
    const auto& part = result.GetTestPartResult(i);
    const char* const file = part.file_name() == nullptr ? "?" : part.file_name();
    if (part.failed())
      std::fprintf(stderr, "%s:%d: %s\n", file, part.line_number(), part.message());
  }
}

/// Runs a body, which may have failures of its own, in a process of its own that may load the fake
/// driver: a process loads a driver once, and with it what the environment says by then.
inline void in_process(const Environment& environment, const std::function<void()>& body) {
  Environment all{{"CLARA_FASTIO_CUDA_DRIVER", FAKE_CUDA_LIBRARY},
                  {"CUDA_VISIBLE_DEVICES", std::nullopt}};
  for (const auto& [name, value] : environment) all[name] = value;
  const ScopedEnvironment scope(all);
  // This style starts the program anew, where the other one would only fork it.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [&body] {
    body();
    print_failures();
    std::exit(::testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

inline void in_process(const std::function<void()>& body) { in_process({}, body); }

/// A function that the fake driver has beside those of a real one. The driver is loaded already.
template <typename Function>
Function* fake_function(const char* name) {
  void* const library = ::dlopen(FAKE_CUDA_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) throw std::runtime_error("the fake driver is not loaded");
  void* const found = ::dlsym(library, name);
  ::dlclose(library);  // The driver's own reference stays.
  return reinterpret_cast<Function*>(found);
}

/// How often this process called a function of the fake driver.
inline unsigned long long calls_of(const char* name) {
  unsigned long long count = 0;
  fake_function<void(const char*, unsigned long long*)>("fakeCudaCounts")(name, &count);
  return count;
}

/// Host memory that is registered, bytes.
inline unsigned long long registered_nbytes() {
  return fake_function<unsigned long long()>("fakeCudaRegisteredBytes")();
}

/// Maps and descriptors of device memory that this process holds, and ranges that it reserved.
inline int traces_of_memory() {
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("fake-cuda:") != std::string::npos) ++count;
  }
  std::error_code ignored;  // The descriptor of the listing itself is gone when it is asked for.
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const auto target = std::filesystem::read_symlink(entry.path(), ignored).string();
    if (target.find("fake-cuda:") != std::string::npos) ++count;
  }
  return count;
}

/// "r--s" of the map at an address, as the kernel says it; empty where nothing is mapped.
inline std::string protection_of(Pointer pointer) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long long first = 0;
    unsigned long long last = 0;
    char protection[5] = {};
    std::sscanf(line.c_str(), "%llx-%llx %4s", &first, &last, protection);
    if (pointer >= first && pointer < last) return protection;
  }
  return {};
}

/// The fake's device memory is the host's, so that a test may look at it.
inline std::uint8_t* bytes_at(Pointer pointer) {
  return reinterpret_cast<std::uint8_t*>(static_cast<std::uintptr_t>(pointer));
}

}  // namespace clara_fastio::cuda::testing
