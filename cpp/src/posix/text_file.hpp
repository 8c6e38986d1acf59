// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clara_fastio::posix {

/// The whole text of a file of /proc or /sys; nothing when it cannot be read.
std::optional<std::string> read_text_file(const std::string& path);

/// Takes the first line off `text`, without its newline.
///
/// Requires: `text` is not empty.
std::string_view take_line(std::string_view& text) noexcept;

/// Takes the next word off `line`; empty at the end. Blanks and tabs divide words.
std::string_view take_word(std::string_view& line) noexcept;

}  // namespace clara_fastio::posix
