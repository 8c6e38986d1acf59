// SPDX-License-Identifier: Apache-2.0
#include "fault.hpp"

#include <atomic>

namespace fake_cuda {
namespace {

std::atomic<bool> faulty = false;
std::atomic<bool> ending = false;

}  // namespace

void mark_faulty() { faulty = true; }
bool is_faulty() { return faulty; }
void mark_ending() { ending = true; }
bool is_ending() { return ending; }
bool is_stopped() { return faulty || ending; }

}  // namespace fake_cuda
