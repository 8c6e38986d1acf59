// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks what the shared library shows; everything else is hidden by the compiler's default
/// visibility.
#define CLARA_FASTIO_EXPORT __attribute__((visibility("default")))
