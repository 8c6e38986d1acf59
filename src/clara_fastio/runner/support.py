# SPDX-License-Identifier: Apache-2.0
"""What a pipeline may ask for that this runner does not offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.errors import PipelineError

if TYPE_CHECKING:
    from clara_fastio.pipeline import Pipeline
    from clara_fastio.runner.settings import Settings


def refuse_unsupported(pipeline: Pipeline, settings: Settings) -> None:
    """Refuse a pipeline with services or models that nobody has started.

    Raises
    ------
    PipelineError
        An operator asks for one.
    """
    for operator in pipeline.operators:
        services = () if operator.name in settings.services else operator.services
        for kind, found, advice in (
            ("services", services, "start them yourself and give their addresses"),
            ("models", operator.models, "start a server for them and give its address"),
        ):
            if found:
                raise PipelineError(
                    f"operator {operator.name!r} asks for {kind}, which this runner does not "
                    f"offer; {advice} in the operator's 'variables'"
                )
