# SPDX-License-Identifier: Apache-2.0
"""The gRPC services: each turns messages into calls of the parts below, and back."""
