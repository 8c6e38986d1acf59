// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "clara_fastio/export.hpp"

namespace clara_fastio {

/// What one element of an array is. The numbers are part of the shared layout: never change one.
enum class ElementType : std::uint32_t {
  none = 0,
  uint8 = 1,
  uint16 = 2,
  uint32 = 3,
  uint64 = 4,
  int8 = 5,
  int16 = 6,
  int32 = 7,
  int64 = 8,
  float16 = 9,
  float32 = 10,
  float64 = 11,
  boolean = 12,
  complex64 = 13,
  complex128 = 14,
  bfloat16 = 15,
};

/// Bytes of one element; 0 for a number that is no element type.
CLARA_FASTIO_EXPORT std::uint32_t itemsize(ElementType type) noexcept;

/// The canonical name, as numpy spells it; empty for a number that is no element type.
CLARA_FASTIO_EXPORT std::string_view element_type_name(ElementType type) noexcept;

/// Finds a type by its canonical name or its short alias (`u8` .. `f64`).
CLARA_FASTIO_EXPORT std::optional<ElementType> element_type_from_name(
    std::string_view name) noexcept;

}  // namespace clara_fastio
