# SPDX-License-Identifier: Apache-2.0
"""What operators and services share: the container, and what it requests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clara_fastio.pipeline import properties
from clara_fastio.pipeline.model import Requests
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.reading import ObjectReader
from clara_fastio.pipeline.versions import OLDEST

if TYPE_CHECKING:
    from clara_fastio.pipeline.document import Node

_IMAGE = re.compile(r"[^\s:@]+(:[0-9]+/[^\s:@]+)?([:@][^\s]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_COMMAND_HINT = 'write it as ["program", "argument"]'


@dataclass(frozen=True, slots=True)
class Container:
    """The program of an operator or service."""

    image: str = ""
    command: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    driver: bool | None = None


def read_container(owner: ObjectReader) -> Container:
    """Read the `container` of an operator or service."""
    node = owner.object("container")
    if node is None:
        if owner.get("container") is None:
            owner.missing("container")
        return Container()
    reader = ObjectReader(
        node, f"the container of {owner.what}", properties.CONTAINER, owner.reading
    )
    return Container(
        image=_read_image(reader),
        command=reader.texts("command", hint=_COMMAND_HINT),
        variables=reader.variables(),
        driver=reader.boolean("driver"),
    )


def _read_image(reader: ObjectReader) -> str:
    image = reader.text("image", required=True)
    tag = reader.text("tag")
    if tag is not None and not _TAG.fullmatch(tag):
        reader.wrong(reader.where("tag"), "tag", "a tag of an image")
    if image is None:
        return ""
    node = reader.where("image")
    if not _IMAGE.fullmatch(image):
        reader.wrong(node, "image", "the name of an image")
    elif any(mark in image.rpartition("/")[2] for mark in ":@"):
        if tag is not None:
            reader.problems.error(
                reader.where("tag"),
                "`image` and `tag` both say which version of the image to take",
                found=f"{quote(image)} and {quote(tag)}",
                depends=(node,),
            )
        return image
    return f"{image}:{tag or 'latest'}"


def read_variables(owner: ObjectReader, container: Container) -> dict[str, str]:
    """Put the variables of the operator over those of its container."""
    own = owner.variables()
    for name in own.keys() & container.variables.keys():
        if own[name] != container.variables[name]:
            owner.problems.warning(
                owner.where("variables"),
                f"the variable `{name}` of {owner.what} stands here and under `container`; "
                "the one here counts",
            )
    return {**container.variables, **own}


def read_requests(owner: ObjectReader) -> Requests:
    """Read `requests`; what is not requested has the default of the version."""
    default = (owner.reading.version or OLDEST).default_requests
    node = owner.object("requests")
    if node is None:
        return default
    reader = ObjectReader(node, f"the requests of {owner.what}", properties.REQUESTS, owner.reading)
    cpu, gpu, memory = (reader.integer(name) for name in ("cpu", "gpu", "memory"))
    return Requests(
        cpu=default.cpu if cpu is None else cpu,
        gpu=default.gpu if gpu is None else gpu,
        memory=default.memory if memory is None else memory,
    )


def read_driver(owner: ObjectReader, container: Container) -> bool | None:
    """Read `driver`, which may stand on the operator or on its container."""
    own = owner.boolean("driver")
    if own is None:
        return container.driver
    if container.driver is not None and container.driver != own:
        where: Node = owner.where("driver")
        owner.problems.error(where, f"`driver` of {owner.what} and of its container differ")
    return own
