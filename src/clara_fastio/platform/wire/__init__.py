# SPDX-License-Identifier: Apache-2.0
"""The words of the wire, for the server and its clients alike."""
