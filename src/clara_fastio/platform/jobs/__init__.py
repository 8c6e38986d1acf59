# SPDX-License-Identifier: Apache-2.0
"""Jobs: queued, run by a process each, watched, and recorded."""
