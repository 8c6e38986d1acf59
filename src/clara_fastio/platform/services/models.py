# SPDX-License-Identifier: Apache-2.0
"""The service Models, which this server does not offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from clara_fastio.errors import NotOfferedError
from clara_fastio.platform.services.dispatch import Role, snake_case
from clara_fastio.platform.wire.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from google.protobuf.message import Message

    from clara_fastio.platform.services.dispatch import Call

_MESSAGE = (
    "this server keeps no models; start an inference server of your own, and give its address "
    "to the operators in their 'variables'"
)


class ModelsService:
    """Answers every rpc with an error that says what to do instead."""

    roles: ClassVar[Mapping[str, Role]] = {
        snake_case(name): Role.READ for name in METHODS["Models"]
    }


async def _refuse(_: ModelsService, _request: Any, _call: Call) -> Message:
    raise NotOfferedError(_MESSAGE)


async def _refuse_stream(
    service: ModelsService, request: Any, call: Call
) -> AsyncIterator[Message]:
    yield await _refuse(service, request, call)


for _method in METHODS["Models"].values():
    _refusal = _refuse_stream if _method.gives_stream else _refuse
    setattr(ModelsService, snake_case(_method.name), _refusal)
