"""YAML 1.2 with the line every key stands on.

`1e-5` is a number, `false` a truth value, `no` and `on` are words, and a key
given twice is a fault.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from phi_kit.core.yaml12 import MERGE, MOST_BYTES, Document, fault, shown

Keys = tuple[str, ...]


@dataclass(frozen=True, order=True)
class FileFault:
    """One fault of a study file, or of a `--set` (which has no line)."""

    line: float
    text: str

    def __str__(self) -> str:
        where = "--set" if self.line == ON_COMMAND_LINE else f"line {self.line:g}"
        return f"  {where:<8} {self.text}"


ON_COMMAND_LINE = float("inf")  # listed after the file's own faults


@dataclass
class Source:
    """A parsed file: its values, where each stands, and what is wrong with it."""

    values: dict[Any, Any] = field(default_factory=dict)
    lines: dict[Keys, int] = field(default_factory=dict)
    faults: list[FileFault] = field(default_factory=list)

    def line(self, keys: Keys) -> int:
        """The line of the value at `keys`, or of the nearest one around it."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)


def dotted(keys: Keys) -> str:
    """Keys as one word, `filter_edge.samples`."""
    return ".".join(shown(key) for key in keys)


def read(path: Path) -> Source:
    """Parse a study file; what is wrong with it stands in `.faults`."""
    source = Source()
    text = _text(path, source.faults)
    if text is None:
        return source
    try:
        document = Document(text, twice=True)
        source.lines, source.faults = _walk(document.root)
        odd = [FileFault(*oddity) for oddity in document.oddities()]
        source.faults += odd
        values = document.value()
    except YAMLError as error:
        source.faults.append(FileFault(*fault(error, text)))
        return source
    if isinstance(values, Mapping) and values:
        source.values = dict(values)
    elif not odd:
        empty = document.root is None or values in (None, {})
        what = "is empty" if empty else "should be a mapping of keys to values"
        source.faults.append(FileFault(1, f"the file {what}"))
    return source


def _text(path: Path, faults: list[FileFault]) -> str | None:
    """The file's text; `None` if it has none, with the reason among the faults."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        faults.append(FileFault(1, f"the file cannot be read: {error.strerror}"))
        return None
    if len(data) > MOST_BYTES:
        faults.append(FileFault(1, f"the file has more than {MOST_BYTES:,} bytes"))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        like = "; it looks like UTF-16" if data[:2] in _UTF16 else ""
        faults.append(FileFault(line, f"is not UTF-8 text: {error.reason}{like}"))
        return None


_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _walk(root: Node | None) -> tuple[dict[Keys, int], list[FileFault]]:
    lines: dict[Keys, int] = {}
    faults: list[FileFault] = []
    for keys, node, own in _nodes(root, ()):
        line = node.start_mark.line + 1
        if keys in lines and own:
            first = f"is given twice; first on line {lines[keys]}"
            faults.append(FileFault(line, f"{dotted(keys)}: {first}"))
        lines.setdefault(keys, line)
    return lines, faults


def _nodes(
    node: Node | None, keys: Keys, *, own: bool = True
) -> Iterator[tuple[Keys, Node, bool]]:
    """Every key (or list item) below `node`, and whether it stands there itself.

    What `<<` brings in stands elsewhere, and what is given here goes before it.
    """
    merged: list[Node] = []
    if isinstance(node, MappingNode):
        items = [(str(key.value), key, value) for key, value in node.value]
        merged = [value for _, key, value in items if key.tag == MERGE]
    elif isinstance(node, SequenceNode):
        items = [(str(i), value, value) for i, value in enumerate(node.value)]
    else:
        return
    seen: set[str] = set()
    for name, key, value in items:
        yield (*keys, name), key, own
        if name not in seen and key.tag != MERGE:  # twice is one fault, not many
            yield from _nodes(value, (*keys, name), own=own)
        seen.add(name)
    for value in merged:
        mappings = value.value if isinstance(value, SequenceNode) else [value]
        for mapping in mappings:
            yield from _nodes(mapping, keys, own=False)
