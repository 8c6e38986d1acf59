# SPDX-License-Identifier: Apache-2.0
"""``import``: an operator or service that stands in a file of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clara_fastio.pipeline import properties
from clara_fastio.pipeline.compose import MAXIMUM_NODES, compose
from clara_fastio.pipeline.document import Node, Object, Scalar, Sequence
from clara_fastio.pipeline.files import is_rooted, relative_to
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.reading import ObjectReader
from clara_fastio.pipeline.template import (
    Scope,
    Value,
    mark_templated,
    read_parameters,
    substitute,
)
from clara_fastio.pipeline.versions import SUPPORTED, parse_version

if TYPE_CHECKING:
    from clara_fastio.pipeline.reading import Reading

MAXIMUM_DEPTH = 16


def load(path: str, reading: Reading) -> Object | None:
    """Read a file that was found as an object; None, with the reason, when it is none."""
    if path not in reading.documents:
        reading.documents[path] = _load(path, reading)
    return reading.documents[path]


def _load(path: str, reading: Reading) -> Object | None:
    text = reading.files.read(path, reading.problems)
    if text is None:
        return None
    composed = compose(text, path, reading.problems)
    if composed is None or isinstance(composed, Object):
        return composed
    found = composed.kind
    reading.problems.error(
        composed, "the top of a file is not an object", found=found, expected="properties"
    )
    return None


def expand(entry: Object, what: str, reading: Reading, chain: tuple[str, ...]) -> Object | None:
    """Put what an entry imports under the properties that stand beside its `import`.

    Parameters
    ----------
    what
        ``operator`` or ``service``.
    chain
        The files that are being read now, the main one first.

    Returns
    -------
    Object | None
        The entry itself when it imports nothing; None when its file cannot be used.
    """
    node = entry.get("import")
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return entry
    if not isinstance(node, Object):
        reading.problems.error(node, "`import` is not an object", found=node.kind)
        return None
    own = ObjectReader(node, "the import", properties.IMPORT, reading)
    path = _target(own, reading, chain)
    document = load(path, reading) if path is not None else None
    if path is None or document is None or not _is_importable(document, what, own):
        return None
    if own.where("path").templated:
        document = _marked(document)
    document = _resolved(document, what, own, reading)
    if document is None:
        return None
    expanded = expand(document, what, reading, (*chain, path))
    return _merged(expanded, entry, reading) if expanded is not None else None


def _target(own: ObjectReader, reading: Reading, chain: tuple[str, ...]) -> str | None:
    """Give the file that an import names; None, with the reason, when it may not be read."""
    text = own.text("path", required=True)
    node = own.where("path")
    spelled = _find(text, node, reading) if text is not None else None
    if spelled is None:
        return None
    if spelled in chain:
        loop = " -> ".join((*chain[chain.index(spelled) :], spelled))
        reading.problems.error(node, f"these files import each other: {loop}")
        return None
    if len(chain) > MAXIMUM_DEPTH:
        reading.problems.error(
            node, "imports are nested too deeply", expected=f"at most {MAXIMUM_DEPTH} files"
        )
        return None
    return spelled


def _find(text: str, node: Node, reading: Reading) -> str | None:
    """Give the spelling of an imported file's name; None, with the reason, when there is none."""
    if is_rooted(text):
        reading.problems.error(
            node,
            "an import has a rooted path",
            found=quote(text),
            expected="a path relative to this file",
        )
        return None
    path = relative_to(text, node.position.file)
    if reading.files.is_outside(path):
        reading.problems.error(
            node,
            "an import leaves the folder of the definition",
            found=quote(text),
            expected="a path inside of the main file's folder",
        )
        return None
    spelled = reading.files.find(path)
    if spelled is None:
        reading.problems.error(
            node,
            "there is no such file to import",
            found=quote(text),
            hint=reading.problems.did_you_mean(path, reading.files.names_beside(path)),
        )
    return spelled


def _is_importable(document: Object, what: str, own: ObjectReader) -> bool:
    if document.get("operators") is None:
        return True
    own.problems.error(
        own.where("path"),
        f"an import names a file that holds a pipeline, not one {what}",
        found=document.position.file,
    )
    return False


def _resolved(document: Object, what: str, own: ObjectReader, reading: Reading) -> Object | None:
    """Give the imported document with its placeholders replaced."""
    reading.nodes_left -= _count(document)
    if reading.nodes_left < 0:
        reading.problems.error(own.node, "the imported files are too large together")
        return None
    args = own.object("args")
    if what == "service":
        if args is not None and args.entries:
            reading.problems.warning(args, "a service takes no `args`; they are ignored")
        return document
    _check_version(document, reading)
    scope = read_parameters(document, reading.problems, templated=False)
    for key, value in args.entries if args else ():
        _take_argument(key, value, document, scope, reading)
    return substitute(document, scope, reading.growth, reading.problems)


def _check_version(document: Object, reading: Reading) -> None:
    """Check for which version a file was written; that of the pipeline is the one that counts."""
    node = document.get("api-version")
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return
    version = parse_version(node.text) if isinstance(node, Scalar) else None
    if version is None:
        reading.problems.error(
            node, "the `api-version` is not supported", found=node.kind, expected=SUPPORTED
        )
    elif reading.version is not None and version.is_typed != reading.version.is_typed:
        reading.problems.warning(
            node,
            f"this file is for {version}, but the pipeline that imports it is {reading.version}",
        )


def _take_argument(
    key: Scalar, value: Node, document: Object, scope: Scope, reading: Reading
) -> None:
    if key.text not in scope:
        reading.problems.error(
            key,
            f"the argument {quote(key.text)} is not a parameter of {document.position.file}",
            expected=", ".join(scope.spelling.values()) or "no arguments",
            hint=reading.problems.did_you_mean(key.text, scope.spelling.values()),
        )
    elif not isinstance(value, Scalar):
        reading.problems.error(
            value,
            f"the argument `{key.text}` is not a text",
            found=value.kind,
            expected="a text",
        )
    else:
        text = "" if value.is_null else value.text
        scope.declare(key.text, Value(text, value.templated))


def _merged(imported: Object, entry: Object, reading: Reading) -> Object:
    """Let each property beside the `import` replace the imported one as a whole."""
    for key, _ in entry.entries:
        if key.text == "parameters":
            reading.problems.warning(
                key,
                "`parameters` beside an import has no effect",
                hint="give `args` to the import",
            )
    local = entry.without("import", "parameters")
    replaced = {key.text for key, _ in local}
    kept = imported.without("import", "parameters", *replaced)
    return replace(entry, entries=(*local, *kept))


def _marked(document: Object) -> Object:
    marked = mark_templated(document)
    return marked if isinstance(marked, Object) else document


def _count(node: Node) -> int:
    """Count nodes with their aliases written out; composing has bounded that per file."""
    counted = 0
    waiting = [node]
    while waiting and counted <= MAXIMUM_NODES:
        counted += 1
        current = waiting.pop()
        if isinstance(current, Sequence):
            waiting += current.items
        elif isinstance(current, Object):
            waiting += (value for _, value in current.entries)
    return counted
