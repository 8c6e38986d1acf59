// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/error.hpp"

#include <utility>

namespace clara_fastio {

Error::Error(Errc code, std::string message, int os_error)
    : code_(code), os_error_(os_error), message_(std::move(message)) {}

Error::Error(Errc code, std::string message, std::uint64_t requested, std::uint64_t available)
    : code_(code), requested_(requested), available_(available), message_(std::move(message)) {}

Error::~Error() = default;

const char* Error::what() const noexcept { return message_.c_str(); }

}  // namespace clara_fastio
