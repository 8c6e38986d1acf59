# SPDX-License-Identifier: Apache-2.0
"""A stream that runs for long."""
