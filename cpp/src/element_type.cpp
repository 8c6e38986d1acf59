// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/element_type.hpp"

#include <array>

namespace clara_fastio {
namespace {

struct Row {
  ElementType type;
  std::uint32_t nbytes;
  std::string_view name;
  std::string_view alias;
};

constexpr std::array<Row, 15> kRows = {{
    {ElementType::uint8, 1, "uint8", "u8"},
    {ElementType::uint16, 2, "uint16", "u16"},
    {ElementType::uint32, 4, "uint32", "u32"},
    {ElementType::uint64, 8, "uint64", "u64"},
    {ElementType::int8, 1, "int8", "i8"},
    {ElementType::int16, 2, "int16", "i16"},
    {ElementType::int32, 4, "int32", "i32"},
    {ElementType::int64, 8, "int64", "i64"},
    {ElementType::float16, 2, "float16", "f16"},
    {ElementType::float32, 4, "float32", "f32"},
    {ElementType::float64, 8, "float64", "f64"},
    {ElementType::boolean, 1, "bool", "bool"},
    {ElementType::complex64, 8, "complex64", "complex64"},
    {ElementType::complex128, 16, "complex128", "complex128"},
    {ElementType::bfloat16, 2, "bfloat16", "bfloat16"},
}};

const Row* row_of(ElementType type) noexcept {
  const auto index = static_cast<std::uint32_t>(type) - 1;
  return index < kRows.size() ? &kRows[index] : nullptr;
}

}  // namespace

std::uint32_t itemsize(ElementType type) noexcept {
  const Row* row = row_of(type);
  return row == nullptr ? 0 : row->nbytes;
}

std::string_view element_type_name(ElementType type) noexcept {
  const Row* row = row_of(type);
  return row == nullptr ? std::string_view{} : row->name;
}

std::optional<ElementType> element_type_from_name(std::string_view name) noexcept {
  for (const Row& row : kRows) {
    if (row.name == name || row.alias == name) return row.type;
  }
  return std::nullopt;
}

}  // namespace clara_fastio
