# SPDX-License-Identifier: Apache-2.0
"""What the server remembers: functions over one connection, and the database that gives it."""
