// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "clara_fastio/element_type.hpp"
#include "clara_fastio/export.hpp"

namespace clara_fastio {

inline constexpr std::uint32_t kMaxDimensions = 32;
/// A dimension that is known only at run time.
inline constexpr std::int64_t kDynamic = -1;

/// The dimensions of an array, outermost first.
///
/// A dimension is `kDynamic`, 0 or positive; a shape without dynamic dimensions has a size in
/// bytes. Thread safety: a value.
struct CLARA_FASTIO_EXPORT Shape {
  std::uint32_t ndim = 0;
  /// Those from `ndim` on mean nothing; they are not even set, for a map makes a shape each time.
  std::array<std::int64_t, kMaxDimensions> dimensions;

  Shape() = default;
  /// Copies the dimensions that there are, not all that there could be.
  Shape(const Shape& other) noexcept { *this = other; }
  Shape& operator=(const Shape& other) noexcept {
    ndim = other.ndim;
    for (std::uint32_t i = 0; i < ndim; ++i) dimensions[i] = other.dimensions[i];
    return *this;
  }

  /// Throws: `Errc::shape` for more than 32 dimensions or one below `kDynamic`.
  static Shape of(std::span<const std::int64_t> dimensions);

  bool is_dynamic() const noexcept;
  /// Bytes of all elements.
  /// Requires: no dynamic dimension. Throws: `Errc::shape` when the product overflows 63 bits.
  std::uint64_t nbytes(ElementType type) const;
  /// Whether every fixed dimension of `declared` has this value here, with the same rank.
  bool fits(const Shape& declared) const noexcept;
  bool operator==(const Shape& other) const noexcept;
  /// "(3, None, 512)", for messages.
  std::string text() const;
};

}  // namespace clara_fastio
