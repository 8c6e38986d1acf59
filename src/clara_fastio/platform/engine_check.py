# SPDX-License-Identifier: Apache-2.0
"""Whether the engine works that is to run the operators: asked before a server listens."""

from __future__ import annotations

import os

from clara_fastio.errors import PipelineError, PreconditionError
from clara_fastio.platform.jobs.supervision import public_environment
from clara_fastio.runner.runtimes import engine_of
from clara_fastio.runner.settings import RuntimeName


async def require_engine(runtime: RuntimeName) -> None:
    """Refuse a runtime whose engine does not answer here; processes need none.

    It starts a program, so this is called before there is anything of gRPC in the process.

    Raises
    ------
    PreconditionError
        The engine's program is not there, or it cannot do its work.
    """
    if runtime is RuntimeName.PROCESS:
        return
    from clara_fastio.runner.runtimes.container import ContainerRuntime

    engine = engine_of(runtime)
    try:
        await ContainerRuntime("", public_environment(os.environ), engine).check()
    except PipelineError as error:
        raise PreconditionError(
            f"--runtime {runtime.value} cannot be used: {error}; install {engine.program} or make "
            f"it work for this user, which '{engine.program} info' shows, or choose another "
            "--runtime"
        ) from error
