// SPDX-License-Identifier: Apache-2.0
#include "injected_errors.hpp"

#include <atomic>
#include <cstdlib>
#include <deque>
#include <string>

#include "settings.hpp"

namespace fake_cuda {
namespace {

struct Rule {
  std::string function;
  std::string variant;
  Result result = kSuccess;
  unsigned long first = 1;
  unsigned long last = ~0UL;
  std::atomic<unsigned long> seen = 0;
};

void read_rule(const std::string& text, Rule* rule) {
  constexpr const char* kVariable = "FAKE_CUDA_ERRORS";
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) refuse_setting(kVariable, text);
  const std::string subject = text.substr(0, equals);
  const std::size_t colon = subject.find(':');
  rule->function = subject.substr(0, colon);
  if (colon != std::string::npos) rule->variant = subject.substr(colon + 1);
  char* end = nullptr;
  rule->result = static_cast<Result>(std::strtol(text.c_str() + equals + 1, &end, 10));
  if (*end == '@') {
    rule->first = std::strtoul(end + 1, &end, 10);
    rule->last = *end == '+' ? ~0UL : rule->first;
    if (*end == '+') ++end;
  }
  if (*end != '\0' || rule->first == 0) refuse_setting(kVariable, text);
}

std::deque<Rule>& rules() {
  static std::deque<Rule>* const all = [] {
    auto* const result = new std::deque<Rule>;  // Never freed, as the settings.
    for (const std::string& text : split(Settings::get().errors, ';')) {
      read_rule(text, &result->emplace_back());
    }
    return result;
  }();
  return *all;
}

}  // namespace

Result injected_error(std::string_view function, std::string_view variant) {
  Result result = kSuccess;
  for (Rule& rule : rules()) {
    if (rule.function != function) continue;
    if (!rule.variant.empty() && rule.variant != variant) continue;
    const unsigned long call = rule.seen.fetch_add(1) + 1;
    if (result == kSuccess && call >= rule.first && call <= rule.last) result = rule.result;
  }
  return result;
}

}  // namespace fake_cuda
