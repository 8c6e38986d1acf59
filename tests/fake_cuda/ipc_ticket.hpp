// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "abi.hpp"
#include "shared_file.hpp"

namespace fake_cuda {

/// The 64 bytes with which another process finds a file of this one.
IpcHandle ticket_for(const SharedFile& file);

/// The file that a ticket names. `kInvalidContext` in the process that wrote the ticket, or in one
/// that has its number in another namespace; `kInvalidHandle` if that process is dead or the bytes
/// are no ticket; `kInvalidValue` if it lives and has given the file back.
Result open_ticket(const IpcHandle& handle, FileKind kind, std::shared_ptr<SharedFile>* file);

}  // namespace fake_cuda
