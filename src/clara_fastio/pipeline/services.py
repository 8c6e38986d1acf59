# SPDX-License-Identifier: Apache-2.0
"""Services and models that an operator asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clara_fastio.pipeline import names, properties
from clara_fastio.pipeline.container import read_container, read_requests, read_variables
from clara_fastio.pipeline.imports import expand
from clara_fastio.pipeline.model import Connection, Service
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.reading import ObjectReader

if TYPE_CHECKING:
    from clara_fastio.pipeline.document import Object
    from clara_fastio.pipeline.reading import Reading

LOWEST_PORT = 1024
HIGHEST_PORT = 65535

# Model repositories allow dots, which the rule for names does not.
_MODEL = re.compile(r"[A-Za-z0-9_.-]{1,255}")


def read_services(owner: ObjectReader) -> tuple[Service, ...]:
    """Read the `services` of an operator."""
    services: list[Service] = []
    for entry in owner.objects("services"):
        node = expand(entry, "service", owner.reading, (entry.position.file,))
        service = _read_service(node, owner) if node is not None else None
        if service is None:
            continue
        if any(names.key(other.name) == names.key(service.name) for other in services):
            owner.problems.error(
                entry.get("name") or entry,
                f"two services of {owner.what} have the same name",
                found=quote(service.name),
                hint="names are not case-sensitive",
            )
        services.append(service)
    return tuple(services)


def _read_service(node: Object, owner: ObjectReader) -> Service:
    label = f"a service of {owner.what}"
    reader = ObjectReader(node, label, properties.SERVICE, owner.reading)
    name = reader.name(required=True)
    container = read_container(reader)
    return Service(
        name=name or "",
        description=reader.text("description") or "",
        image=container.image,
        command=container.command,
        variables=read_variables(reader, container),
        connections=_read_connections(reader),
        requests=read_requests(reader),
    )


def _read_connections(owner: ObjectReader) -> tuple[Connection, ...]:
    node = owner.object("connections")
    if node is None:
        return ()
    reading = owner.reading
    reader = ObjectReader(node, f"the connections of {owner.what}", properties.CONNECTIONS, reading)
    connections = [_read_http(entry, reading) for entry in reader.objects("http")]
    for keyword in ("volume", "file"):
        connections += (_read_volume(entry, reading) for entry in reader.objects(keyword))
    return tuple(connections)


def _read_http(node: Object, reading: Reading) -> Connection:
    reader = ObjectReader(node, "an http connection", properties.HTTP, reading)
    port = reader.integer("port", LOWEST_PORT, HIGHEST_PORT)
    return Connection("http", _read_variable_name(reader), port=port)


def _read_volume(node: Object, reading: Reading) -> Connection:
    reader = ObjectReader(node, "a volume connection", properties.VOLUME, reading)
    return Connection("volume", _read_variable_name(reader), path=reader.text("path"))


def _read_variable_name(reader: ObjectReader) -> str:
    """Read the name of a connection: operators find its address in a variable of that name."""
    name = reader.text("name", required=True)
    if name is not None and not names.is_environment_name(name):
        reader.wrong(reader.where("name"), "name", "the name of an environment variable")
    return name or ""


def read_models(owner: ObjectReader) -> tuple[str, ...]:
    """Read the names of the `models` of an operator."""
    models = []
    for entry in owner.objects("models"):
        reader = ObjectReader(entry, f"a model of {owner.what}", properties.MODEL, owner.reading)
        name = reader.text("name", required=True)
        if name is not None and not _MODEL.fullmatch(name):
            reader.wrong(reader.where("name"), "name", "1 to 255 letters, digits, `_`, `-` and `.`")
        models.append(name or "")
    return tuple(models)
