// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace fake_cuda {
namespace {

std::string text_of(const char* variable, const char* otherwise) {
  const char* const value = std::getenv(variable);
  return value == nullptr ? otherwise : value;
}

std::uint64_t number(const char* variable, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    refuse_setting(variable, std::string(text));
  }
  return value;
}

std::map<int, int> attributes(const char* variable) {
  std::map<int, int> result;
  for (const std::string& part : split(text_of(variable, ""), ',')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) refuse_setting(variable, part);
    const std::string_view all = part;
    result[static_cast<int>(number(variable, all.substr(0, equals)))] =
        static_cast<int>(number(variable, all.substr(equals + 1)));
  }
  return result;
}

void read_delay(Settings* settings) {
  constexpr const char* kVariable = "FAKE_CUDA_DELAY";
  const std::string text = text_of(kVariable, "0-200");
  const std::string_view all = text;
  const std::size_t dash = all.find('-');
  settings->least_delay = number(kVariable, all.substr(0, dash));
  settings->most_delay = dash == std::string_view::npos ? settings->least_delay
                                                        : number(kVariable, all.substr(dash + 1));
  if (settings->most_delay < settings->least_delay) refuse_setting(kVariable, text);
}

Settings* read_settings() {
  constexpr const char* kDefaultMemory = "8589934592";
  auto* const it = new Settings;  // Never freed: threads of the driver outlive static objects.
  it->devices = static_cast<int>(number("FAKE_CUDA_DEVICES", text_of("FAKE_CUDA_DEVICES", "1")));
  it->memory = number("FAKE_CUDA_MEMORY", text_of("FAKE_CUDA_MEMORY", kDefaultMemory));
  it->version =
      static_cast<int>(number("FAKE_CUDA_VERSION", text_of("FAKE_CUDA_VERSION", "12080")));
  it->attributes = attributes("FAKE_CUDA_ATTRIBUTES");
  it->missing = split(text_of("FAKE_CUDA_MISSING", ""), ',');
  it->errors = text_of("FAKE_CUDA_ERRORS", "");
  it->log = text_of("FAKE_CUDA_LOG", "");
  it->seed = number("FAKE_CUDA_SEED", text_of("FAKE_CUDA_SEED", "0"));
  read_delay(it);
  if (const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES")) it->visible = visible;
  return it;
}

}  // namespace

const Settings& Settings::get() {
  static const Settings* const settings = read_settings();
  return *settings;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

void refuse_setting(const std::string& variable, const std::string& text) {
  std::fprintf(stderr, "fake_cuda: %s has no meaning: \"%s\"\n", variable.c_str(), text.c_str());
  std::_Exit(97);
}

}  // namespace fake_cuda
