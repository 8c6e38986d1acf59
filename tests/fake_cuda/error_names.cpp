// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "abi.hpp"
#include "call.hpp"

namespace fake_cuda {
namespace {

struct ErrorText {
  Result error;
  const char* name;
  const char* text;
};

constexpr std::array kErrors = {
    ErrorText{kSuccess, "CUDA_SUCCESS", "no error"},
    ErrorText{kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    ErrorText{kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    ErrorText{kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    ErrorText{kDeinitialized, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    ErrorText{kNoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    ErrorText{kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    ErrorText{kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    ErrorText{kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    ErrorText{kNotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    ErrorText{kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was met"},
    ErrorText{kContextIsDestroyed, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    ErrorText{kAlreadyRegistered, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
              "part or all of the requested memory range is already mapped"},
    ErrorText{kNotRegistered, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
              "pointer does not correspond to a registered memory region"},
    ErrorText{kNotPermitted, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    ErrorText{kNotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    ErrorText{kCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
              "operation not permitted when stream is capturing"},
    ErrorText{kUnknown, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

Result look_up(Result error, const char* ErrorText::* member, const char** text) {
  if (text == nullptr) return kInvalidValue;
  const auto found = std::ranges::find(kErrors, error, &ErrorText::error);
  *text = found == kErrors.end() ? nullptr : (*found).*member;
  return found == kErrors.end() ? kInvalidValue : kSuccess;
}

}  // namespace

Result driver::error_name(Result error, const char** name) {
  if (const Result refused = begin("cuGetErrorName", Needs::nothing)) return refused;
  return look_up(error, &ErrorText::name, name);
}

Result driver::error_text(Result error, const char** text) {
  if (const Result refused = begin("cuGetErrorString", Needs::nothing)) return refused;
  return look_up(error, &ErrorText::text, text);
}

}  // namespace fake_cuda
