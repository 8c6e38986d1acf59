// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/names.hpp"

#include <cstdint>
#include <string>

#include "clara_fastio/error.hpp"
#include "clara_fastio/layout.hpp"

namespace clara_fastio {
namespace {

/// Bytes of the UTF-8 sequence at the start, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (length == 0 || lead > 0xf4 || text.size() < length) return 0;
  std::uint32_t code = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  // Overlong forms, surrogates, and what lies beyond Unicode.
  if (length == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) return 0;
  if (length == 4 && (code < 0x10000 || code > 0x10ffff)) return 0;
  return length;
}

}  // namespace

void check_name(std::string_view name, const char* kind) {
  const std::string what =
      std::string(kind[0] == 'a' || kind[0] == 'e' ? "the name of an " : "the name of a ") + kind;
  if (name.empty()) throw Error(Errc::invalid_argument, what + " is empty");
  if (name.size() > layout::kMaxNameBytes) {
    throw Error(Errc::invalid_argument, what + " has " + std::to_string(name.size()) +
                                            " bytes of UTF-8; at most 255 are allowed");
  }
  if (name.find('\0') != std::string_view::npos) {
    throw Error(Errc::invalid_argument, what + " holds a NUL character");
  }
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t length = sequence_length(name.substr(at));
    if (length == 0) throw Error(Errc::invalid_argument, what + " is not UTF-8");
    at += length;
  }
}

}  // namespace clara_fastio
