# SPDX-License-Identifier: Apache-2.0
"""A program with one mistake in each marked line, which a type checker has to find."""

from __future__ import annotations

from clara_fastio.platform import AsyncClient, Client, Job


def mistakes(client: Client, job: Job) -> None:
    Client(30031)  # error: arg-type
    Client("localhost", "secret")  # error: call-arg
    Client("localhost", tls=True)  # error: arg-type
    client.jobs.create("0" * 32)  # error: call-arg
    client.jobs.create("0" * 32, "name", priority="high")  # error: arg-type
    client.jobs.start("0" * 32, {"NUMBER": 5})  # error: dict-item
    client.jobs.list("running")  # error: arg-type
    client.jobs.delete("0" * 32)  # error: attr-defined
    client.jobs.wait(5)  # error: arg-type
    client.payloads.write("0" * 32, "name", "text")  # error: arg-type
    client.payloads.upload("0" * 32, 5)  # error: arg-type
    job.state = job.state  # error: misc
    number: int = client.pipelines.create("pipeline.yaml")  # error: assignment
    assert number


async def forgotten(client: AsyncClient) -> None:
    with client:  # error: attr-defined
        pass
    assert client.jobs.start("0" * 32).state  # error: attr-defined
    await client.jobs.logs("0" * 32)  # error: misc
