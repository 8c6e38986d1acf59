# SPDX-License-Identifier: Apache-2.0
"""Payloads on disk: a folder each, written whole or not at all, read without following links."""
