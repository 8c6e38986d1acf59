// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fake_cuda {

/// What the environment asks for; read once, at the first call of the process.
///
/// Thread safety: immutable.
struct Settings {
  int devices = 1;                   ///< FAKE_CUDA_DEVICES
  std::size_t memory = 0;            ///< FAKE_CUDA_MEMORY, bytes of each device
  int version = 0;                   ///< FAKE_CUDA_VERSION, 12080 is 12.8
  std::map<int, int> attributes;     ///< FAKE_CUDA_ATTRIBUTES, "102=0,103=0"
  std::vector<std::string> missing;  ///< FAKE_CUDA_MISSING, names of functions
  std::string errors;                ///< FAKE_CUDA_ERRORS, see injected_errors.hpp
  std::string log;                   ///< FAKE_CUDA_LOG, path of a file
  std::uint64_t least_delay = 0;     ///< FAKE_CUDA_DELAY, "0-200" microseconds
  std::uint64_t most_delay = 0;
  std::uint64_t seed = 0;              ///< FAKE_CUDA_SEED
  std::optional<std::string> visible;  ///< CUDA_VISIBLE_DEVICES

  static const Settings& get();
};

/// The non-empty parts of a text.
std::vector<std::string> split(std::string_view text, char separator);

/// Says what is wrong with the environment and ends the process: a test that is not what it seems
/// to be must not go on.
[[noreturn]] void refuse_setting(const std::string& variable, const std::string& text);

}  // namespace fake_cuda
