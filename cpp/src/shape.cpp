// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/shape.hpp"

#include <algorithm>
#include <limits>

#include "clara_fastio/error.hpp"

namespace clara_fastio {

Shape Shape::of(std::span<const std::int64_t> dimensions) {
  if (dimensions.size() > kMaxDimensions) {
    throw Error(Errc::shape,
                "a shape has at most 32 dimensions, not " + std::to_string(dimensions.size()));
  }
  Shape shape;
  shape.ndim = static_cast<std::uint32_t>(dimensions.size());
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    if (dimensions[i] < kDynamic) {
      throw Error(Errc::shape, "dimension " + std::to_string(i) + " is " +
                                   std::to_string(dimensions[i]) +
                                   "; it must be positive, or None when known at run time only");
    }
    shape.dimensions[i] = dimensions[i];
  }
  return shape;
}

bool Shape::is_dynamic() const noexcept {
  return std::find(dimensions.begin(), dimensions.begin() + ndim, kDynamic) !=
         dimensions.begin() + ndim;
}

std::uint64_t Shape::nbytes(ElementType type) const {
  std::uint64_t total = itemsize(type);
  for (std::uint32_t i = 0; i < ndim; ++i) {
    if (dimensions[i] == 0) return 0;
  }
  for (std::uint32_t i = 0; i < ndim; ++i) {
    if (__builtin_mul_overflow(total, static_cast<std::uint64_t>(dimensions[i]), &total) ||
        total > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      throw Error(Errc::shape, "the shape " + text() + " of " +
                                   std::string(element_type_name(type)) +
                                   " needs more than 2**63 bytes");
    }
  }
  return total;
}

bool Shape::fits(const Shape& declared) const noexcept {
  if (ndim != declared.ndim) return false;
  for (std::uint32_t i = 0; i < ndim; ++i) {
    if (declared.dimensions[i] != kDynamic && declared.dimensions[i] != dimensions[i]) return false;
  }
  return true;
}

bool Shape::operator==(const Shape& other) const noexcept {
  return ndim == other.ndim &&
         std::equal(dimensions.begin(), dimensions.begin() + ndim, other.dimensions.begin());
}

std::string Shape::text() const {
  std::string out = "(";
  for (std::uint32_t i = 0; i < ndim; ++i) {
    if (i > 0) out += ", ";
    out += dimensions[i] == kDynamic ? "None" : std::to_string(dimensions[i]);
  }
  return out + (ndim == 1 ? ",)" : ")");
}

}  // namespace clara_fastio
