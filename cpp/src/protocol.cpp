// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/protocol.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "clara_fastio/error.hpp"

namespace clara_fastio::protocol {

void Message::set_text(std::string_view value) noexcept {
  text_nbytes = static_cast<std::uint32_t>(std::min(value.size(), sizeof(text)));
  std::memcpy(text, value.data(), text_nbytes);
}

std::string_view Message::text_view() const noexcept {
  return {text, std::min<std::size_t>(text_nbytes, sizeof(text))};
}

void Message::set_shape(const Shape& shape) noexcept {
  ndim = shape.ndim;
  std::copy(shape.dimensions.begin(), shape.dimensions.begin() + shape.ndim, dimensions);
}

Shape Message::shape() const {
  if (ndim > kMaxDimensions) {
    throw Error(Errc::shape, "a shape has at most 32 dimensions, not " + std::to_string(ndim));
  }
  return Shape::of(std::span(dimensions, ndim));
}

}  // namespace clara_fastio::protocol
