"""Names of a sweep's variants: readable, each its own, the same when a sweep grows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phi_kit.core.files import digest_json
from phi_kit.core.folder_names import MAX_NAME

SEPARATOR = "--"  # between one parameter and the next
UNCHANGED = "base"  # the variant that changes nothing
_MARK = 6  # hex digits of what a name cannot say
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


def variant_names(given: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> list:
    """What each variant is called, after what it sets.

    A name says every value, `rank-8--learning_rate-1e-3`. Where it cannot (a long text,
    a name of more than 64 characters), a few digits of a digest of the values follow,
    so that a variant keeps its name whatever is added to the sweep.

    Args:
        given: the name that the sweep file gives each; empty where it gives none.
        settings: what each sets, by the parameter's path.

    Returns:
        One name each, in order; no two are the same folder on any disk.
    """
    labels = short_labels({path for sets in settings for path in sets})
    names = [
        _name(first, sets, labels) for first, sets in zip(given, settings, strict=True)
    ]
    taken = Counter(name.casefold() for name in names)
    return [
        name if taken[name.casefold()] == 1 else _marked(name, sets)
        for name, sets in zip(names, settings, strict=True)
    ]


def short_labels(paths: Iterable[str]) -> dict[str, str]:
    """Each path's shortest end that no other path has: `probe_sft.rank` is `rank`."""
    ends: Counter[str] = Counter()
    known = list(paths)
    for path in known:
        ends.update(_ends(path))
    return {
        path: next((end for end in _ends(path) if ends[end] == 1), path)
        for path in known
    }


def _ends(path: str) -> list[str]:
    """`a.b.c` as `c`, `b.c`, `a.b.c`."""
    parts = path.split(".")
    return [".".join(parts[place:]) for place in reversed(range(len(parts)))]


def _name(given: str, sets: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    parts, exact = [given] * bool(given), True
    for path, value in sets.items():
        text = _text(value)
        parts.append(f"{labels[path]}-{text}".rstrip(".-"))
        exact &= _says(text, value)
    name = SEPARATOR.join(parts) or UNCHANGED
    return name if exact and len(name) <= MAX_NAME else _marked(name, sets)


def _marked(name: str, sets: Mapping[str, Any]) -> str:
    return f"{name[: MAX_NAME - _MARK - 1]}-{digest_json(dict(sets))[:_MARK]}"


def _text(value: Any) -> str:
    """A value as a part of a folder's name."""
    if isinstance(value, bool | None):
        return str(value).lower()
    if isinstance(value, int | float):
        short = f"{value:g}"
        text = short if float(short) == value else repr(value)
        return re.sub(r"e([+-]?)0*(\d)", r"e\1\2", text).replace("+", "")
    if isinstance(value, list):
        return ".".join(map(_text, value))
    return _UNFIT.sub("-", str(value)).strip("-._")


def _says(text: str, value: Any) -> bool:
    """Whether a text can be nothing else than this value."""
    if isinstance(value, list):
        parts = [_text(part) for part in value]
        return bool(parts) and all(
            _says(part, inner) and "." not in part
            for part, inner in zip(parts, value, strict=True)
        )
    if isinstance(value, str):
        return bool(text) and text == value
    return not isinstance(value, dict)
