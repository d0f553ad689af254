"""YAML 1.2 with the line every key stands on.

`1e-5` is a number, `false` a truth value, `no` and `on` are words, and a key
given twice is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from phi_kit.core.params import StepParams, read_value

Keys = tuple[str, ...]


@dataclass(frozen=True, order=True)
class Fault:
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
    faults: list[Fault] = field(default_factory=list)

    def line(self, keys: Keys) -> int:
        """The line of the value at `keys`, or of the nearest one around it."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)


class Text(str):
    """A value as typed after `--set`; the parameter's type decides what it means."""

    __slots__ = ()


def value_of(value: Any, model: type[StepParams], name: str) -> Any:
    """A parameter's value: a `Text` as what it spells, unless a text is wanted."""
    if not isinstance(value, Text):
        return value
    read = read_value(value)
    is_text = model.model_fields[name].annotation is str
    return str(value) if is_text and not isinstance(read, str) else read


def read(path: Path) -> Source:
    """Parse a study file; what is wrong with it stands in `.faults`."""
    source = Source()
    try:
        text = path.read_text(encoding="utf-8-sig")
        source.lines, source.faults = _walk(_yaml().compose(text))
        values = _yaml().load(text)
    except UnicodeDecodeError as error:
        source.faults.append(Fault(1, f"is not UTF-8 text: {error.reason}"))
    except YAMLError as error:
        source.faults.append(_syntax(error))
    else:
        if isinstance(values, Mapping) and values:
            source.values = dict(values)
        else:
            what = "is empty" if not values else "should be a mapping of keys to values"
            source.faults.append(Fault(1, f"the file {what}"))
    return source


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    # The loader stops at the first duplicate; `_walk` reports every one.
    yaml.allow_duplicate_keys = True
    return yaml


def _syntax(error: YAMLError) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = error.problem if isinstance(error, MarkedYAMLError) else str(error)
    return Fault(mark.line + 1 if mark else 1, f"is not YAML: {problem}")


def _walk(root: Node | None) -> tuple[dict[Keys, int], list[Fault]]:
    lines: dict[Keys, int] = {}
    faults: list[Fault] = []
    for keys, node in _nodes(root, (), ()):
        line = node.start_mark.line + 1
        if keys in lines:
            first = f"is given twice; first on line {lines[keys]}"
            faults.append(Fault(line, f"{'.'.join(keys)}: {first}"))
        lines.setdefault(keys, line)
    return lines, faults


def _nodes(
    node: Node | None, keys: Keys, above: tuple[int, ...]
) -> Iterator[tuple[Keys, Node]]:
    """Every key (or list item) below `node`; `above` guards against cycles."""
    if id(node) in above:
        return
    above = (*above, id(node))
    if isinstance(node, MappingNode):
        pairs = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, SequenceNode):
        pairs = [(str(i), value, value) for i, value in enumerate(node.value)]
    else:
        return
    seen: set[str] = set()
    for name, at, value in pairs:
        yield (*keys, name), at
        if name not in seen:  # a key given twice is one fault, whatever is below
            yield from _nodes(value, (*keys, name), above)
        seen.add(name)
