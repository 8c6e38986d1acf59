# SPDX-License-Identifier: Apache-2.0
"""Bytes that are no message are the caller's mistake: answered, and no trace in the log."""

from __future__ import annotations

import pytest

from clara_fastio.platform.wire.codes import Code
from clara_fastio.platform.wire.methods import METHODS


@pytest.mark.parametrize("garbage", [b"\xff" * 4, b"\x0a\x05abc"])
def test_every_rpc_answers_bytes_that_are_no_message(server, garbage):
    not_read = {"Models": [Code.NOT_OFFERED]}
    with server.connect() as channel:
        for method in (each for methods in METHODS.values() for each in methods.values()):
            kind = f"{'stream' if method.takes_stream else 'unary'}_"
            kind += "stream" if method.gives_stream else "unary"
            call = getattr(channel, kind)(
                method.path, lambda data: data, method.response.FromString
            )
            answer = call(iter([garbage]) if method.takes_stream else garbage, timeout=20)
            (first,) = answer if method.gives_stream else (answer,)
            # The streams of a service that is not offered are not read.
            expected = {Code.INVALID_ARGUMENT, *not_read.get(method.service, ())}
            assert first.header.code in expected, method.path
    said = server.stop()
    assert "Traceback" not in said
