// SPDX-License-Identifier: Apache-2.0
#include "client/device_choice.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "clara_fastio/error.hpp"

namespace clara_fastio::client {
namespace {

constexpr const char* kVariable = "CLARA_FASTIO_CUDA_DEVICES";

/// Undoes the percent signs that stand for `;`, `=` and `%` in a name.
std::string decoded(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const bool is_code = text[i] == '%' && i + 2 < text.size() &&
                         std::from_chars(text.data() + i + 1, text.data() + i + 3, code, 16).ptr ==
                             text.data() + i + 3;
    name += is_code ? static_cast<char>(code) : text[i];
    if (is_code) i += 2;
  }
  return name;
}

/// The number that the environment gives for a name, -1 for none.
int number_for(const std::string& name) {
  const char* text = std::getenv(kVariable);
  std::string_view rest = text == nullptr ? std::string_view{} : std::string_view{text};
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || decoded(part.substr(0, equals)) != name) continue;
    const std::string_view digits = part.substr(equals + 1);
    int number = -1;
    const auto end = digits.data() + digits.size();
    if (std::from_chars(digits.data(), end, number).ptr == end && number >= 0) return number;
    throw Error(Errc::invalid_argument, std::string(kVariable) + " has '" + std::string(part) +
                                            "'; a device is a number from 0");
  }
  return -1;
}

}  // namespace

cuda::Device& chosen_device(const layout::DeviceId& device, const std::string& name) {
  if (!device.is_any()) {
    cuda::Uuid uuid{};
    std::memcpy(uuid.bytes, device.bytes, sizeof(uuid.bytes));
    return cuda::Device::of_uuid(uuid);
  }
  return cuda::Device::of_ordinal(std::max(number_for(name), 0));
}

}  // namespace clara_fastio::client
