// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/driver_abi.hpp"

/// What the fake driver exports beyond the real one: kernels, and what tests ask about.
/// Durations are nanoseconds; a word has 32 bits.
///
/// A kernel that writes where this process may only read, or touches an address that is neither
/// device nor registered memory, makes the context faulty for good, as on a GPU.
#define FAKE_CUDA_EXPORT [[gnu::visibility("default")]]

extern "C" {

/// Writes `value` to each word, in chunks over the duration, so that a torn state is seen for long.
FAKE_CUDA_EXPORT clara_fastio::cuda::Result fakeCudaFill(clara_fastio::cuda::Stream stream,
                                                         clara_fastio::cuda::Pointer to,
                                                         std::size_t words, std::uint32_t value,
                                                         std::uint64_t nanoseconds);

/// Reads each word, in chunks over the duration. The results are host memory, valid until the
/// stream is done.
FAKE_CUDA_EXPORT clara_fastio::cuda::Result fakeCudaSum(
    clara_fastio::cuda::Stream stream, clara_fastio::cuda::Pointer from, std::size_t words,
    std::uint64_t nanoseconds, std::uint32_t* smallest, std::uint32_t* largest);

/// Writes the words of `from`, each plus `increment`, in chunks over the duration.
FAKE_CUDA_EXPORT clara_fastio::cuda::Result fakeCudaAdd(clara_fastio::cuda::Stream stream,
                                                        clara_fastio::cuda::Pointer to,
                                                        clara_fastio::cuda::Pointer from,
                                                        std::size_t words, std::uint32_t increment,
                                                        std::uint64_t nanoseconds);

/// Sets what `cuStreamIsCapturing` says: 0 or 1.
FAKE_CUDA_EXPORT clara_fastio::cuda::Result fakeCudaCapture(clara_fastio::cuda::Stream stream,
                                                            int on);

/// Calls of the function in this process so far, refused ones included; 0 for an unknown name.
FAKE_CUDA_EXPORT void fakeCudaCounts(const char* name, unsigned long long* count);

/// Bytes of host memory that this process has registered.
FAKE_CUDA_EXPORT unsigned long long fakeCudaRegisteredBytes();
}
