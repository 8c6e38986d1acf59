# SPDX-License-Identifier: Apache-2.0
"""``clara stop``."""

from __future__ import annotations

from clara_fastio.cli.connection import ConfigOption, HostOption, connect


def stop(*, host: HostOption = "", config: ConfigOption = None) -> None:
    """Halt all services that pipelines have started on a server; the server goes on."""
    with connect(host, config) as client:
        client.server.stop_services()
