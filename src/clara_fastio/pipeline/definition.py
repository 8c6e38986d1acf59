# SPDX-License-Identifier: Apache-2.0
"""A definition: its files, read and checked, from which each job gets its own pipeline."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.pipeline import imports, names, properties
from clara_fastio.pipeline.arguments import take_arguments
from clara_fastio.pipeline.document import Node, Object, Scalar, Sequence
from clara_fastio.pipeline.files import Files
from clara_fastio.pipeline.graph import find_cycles, topological_order
from clara_fastio.pipeline.matching import Matcher
from clara_fastio.pipeline.model import Pipeline
from clara_fastio.pipeline.operators import read_operator
from clara_fastio.pipeline.problems import Problem, Problems, quote
from clara_fastio.pipeline.reading import ObjectReader, Reading
from clara_fastio.pipeline.template import read_parameters, substitute
from clara_fastio.pipeline.versions import SUPPORTED, ApiVersion, parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clara_fastio.pipeline.model import Operator

_SHOWN_OF_CYCLE = 20
_ORCHESTRATOR = "clara"


@dataclass(frozen=True, slots=True)
class Definition:
    """A pipeline definition without faults that do not depend on the job's arguments.

    Attributes
    ----------
    name, api_version, description
        As they are with the defaults of the parameters.
    parameters
        The defaults by name.
    warnings
        What is odd about it.
    """

    name: str
    api_version: str
    description: str
    parameters: dict[str, str]
    warnings: tuple[Problem, ...]
    _files: Files = field(repr=False, compare=False)

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Names and contents of the files that were read, the main one first."""
        return self._files.texts()

    def resolve(self, arguments: Mapping[str, str] | None = None) -> Pipeline:
        """Put arguments, defaults and imports in place, and check the result.

        Parameters
        ----------
        arguments
            Values of the pipeline's parameters; those not given have their defaults.

        Raises
        ------
        DefinitionError
            An argument is not a parameter, or the pipeline is wrong with these arguments.
        """
        problems = Problems()
        pipeline = _read(Reading(self._files, problems), arguments or {})
        problems.raise_if_any()
        return pipeline


def load_definition(
    source: str | os.PathLike[str] | Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]],
    *,
    main: str | None = None,
) -> Definition:
    """Read a definition and report everything that is wrong with it.

    Parameters
    ----------
    source
        The path of the main file, which imports others from its folder and below; or the
        contents of all files by name. Names that differ only by case are one file.
    main
        Which of several contents is the pipeline; the first when it is not given.

    Raises
    ------
    DefinitionError
        The definition is wrong; `problems` lists all that was found. What depends on
        parameters is checked by :meth:`Definition.resolve`.
    NotFoundError
        There is no such file.

    Examples
    --------
    >>> definition = load_definition({"main.yaml": '''
    ... api-version: 0.4.0
    ... name: tiny
    ... operators:
    ... - name: copy
    ...   container: {image: demo/copy}
    ... '''})
    >>> definition.resolve().operators[0].image
    'demo/copy:latest'
    """
    if isinstance(source, (str, os.PathLike)):
        files = Files.on_disk(Path(source))
    else:
        parts = source.items() if isinstance(source, Mapping) else source
        files = Files.uploaded(parts, main)
    problems = Problems(deferring=True)
    pipeline = _read(Reading(files, problems), {})
    problems.raise_if_any()
    return Definition(
        pipeline.name,
        pipeline.api_version,
        pipeline.description,
        pipeline.parameters,
        problems.warnings,
        files,
    )


def resolve(definition: Definition, arguments: Mapping[str, str] | None = None) -> Pipeline:
    """Give the pipeline of one job; see :meth:`Definition.resolve`."""
    return definition.resolve(arguments)


def _read(reading: Reading, arguments: Mapping[str, str]) -> Pipeline:
    """Read the whole definition; what is returned counts only when there are no problems."""
    problems = reading.problems
    raw = imports.load(reading.files.main, reading)
    if raw is None:
        return Pipeline("", "", ())
    reading.version = _read_version(raw, problems)
    scope = read_parameters(raw, problems, templated=True)
    take_arguments(arguments, scope, raw, problems)
    document = substitute(raw, scope, reading.growth, problems)
    reader = ObjectReader(document, "the pipeline", properties.PIPELINE, reading)
    _check_orchestrator(reader)
    return Pipeline(
        name=reader.name(required=True) or "",
        api_version=str(reading.version or ""),
        description=reader.text("description") or "",
        operators=_read_operators(reader),
        timeout=reader.seconds("timeout"),
        parameters=scope.texts(),
        pull_secrets=reader.texts("pull-secrets"),
        warnings=problems.warnings,
    )


def _read_version(raw: Object, problems: Problems) -> ApiVersion | None:
    node = raw.get("api-version")
    if node is None:
        problems.error(raw, "the pipeline has no `api-version`", expected=SUPPORTED)
        return None
    version = parse_version(node.text) if isinstance(node, Scalar) else None
    if version is None:
        problems.error(
            node, "the `api-version` is not supported", found=node.kind, expected=SUPPORTED
        )
    return version


def _check_orchestrator(reader: ObjectReader) -> None:
    text = reader.text("orchestrator")
    if text is not None and names.key(text) != _ORCHESTRATOR:
        reader.problems.error(
            reader.where("orchestrator"),
            "the orchestrator is not supported",
            found=quote(text),
            expected="Clara",
        )


def _read_operators(reader: ObjectReader) -> tuple[Operator, ...]:
    entries = reader.objects("operators")
    found = reader.get("operators")
    if found is None:
        reader.missing("operators")
    elif isinstance(found, Sequence) and not found.items:
        reader.problems.error(found, "the pipeline has no operators")
    operators = [read_operator(entry, reader.reading) for entry in entries]
    matcher = Matcher(operators, reader.problems)
    matched = matcher.match()
    edges = [dict(matcher.edges(number)) for number in range(len(operators))]
    # An operator that names itself was reported where it does so.
    upstream = [set(found) - {number} for number, found in enumerate(edges)]
    for cycle in find_cycles(upstream):
        _report_cycle(cycle, matcher, edges, reader.problems)
    if len(matched) < len(operators):
        return ()
    return tuple(matched[number] for number in topological_order(upstream))


def _report_cycle(
    cycle: list[int], matcher: Matcher, edges: list[dict[int, Node]], problems: Problems
) -> None:
    pairs = list(zip([cycle[-1], *cycle], cycle, strict=False))
    places = [edges[node][source] for source, node in pairs]
    labels = [matcher.operators[number].name or "?" for number in (*cycle, cycle[0])]
    if len(labels) > _SHOWN_OF_CYCLE:
        labels[_SHOWN_OF_CYCLE - 2 : -1] = ["..."]
    problems.error(
        places[0],
        f"these operators wait for each other: {' -> '.join(labels)}",
        depends=(*places, *(matcher.operators[number].node for number in cycle)),
    )
