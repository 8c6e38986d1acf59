# SPDX-License-Identifier: Apache-2.0
"""Clients of the server under test, and their values as JSON can hold them."""

ADDRESS = ""


def connect(kind):
    """Make a client in the way of the published examples."""
    host, port = ADDRESS.rsplit(":", 1)
    return kind(target=host, port=port)


def moment(time):
    return None if time is None else time.timestamp()


def text(identifier):
    return None if identifier is None else identifier.value
