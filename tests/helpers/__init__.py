# SPDX-License-Identifier: Apache-2.0
"""What tests share: names, separate programs, and the count of what is left behind."""
