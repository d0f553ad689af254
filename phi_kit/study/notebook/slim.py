"""Keep executed notebooks small: no flood of progress lines, no output without end.

A bar that somebody's library draws rewrites its line a thousand times, and a cell in a
loop prints without end; a notebook that holds all of it opens nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MOST_TEXT = 20_000  # characters of one output's text (kit default)
MOST_BYTES = 900_000  # of a notebook's outputs together, as written (kit default)
_TEXT = ("text/plain", "text/markdown", "text/latex")


def slim(notebook: dict[str, Any]) -> None:
    """Shorten a notebook's outputs in place.

    Of a line that was rewritten the last state stays, of a text that is too long its
    begin and its end, of outputs that are too large together the smaller ones.
    """
    outputs = []
    for cell in notebook.get("cells", []):
        if "outputs" in cell:
            cell["outputs"] = _joined(cell["outputs"])
            outputs += cell["outputs"]
    for output in outputs:
        _shorten(output)
    _leave_out_largest(outputs)


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs with what was printed in a row in one: each flush makes one more."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.get("output_type") == "stream" and (
            output.get("name") == last.get("name")
        ):
            last["text"] = _plain(last["text"]) + _plain(output["text"])
        else:
            joined.append(output)
    return joined


def _plain(text: str | list[str]) -> str:
    """A text that the format also allows as a list of its lines."""
    return text if isinstance(text, str) else "".join(text)


def _shorten(output: dict[str, Any]) -> None:
    if "text" in output:
        output["text"] = _cut(last_states(_plain(output["text"])))
    if "traceback" in output:
        output["traceback"] = [_cut(line) for line in output["traceback"]]
    if "evalue" in output:
        output["evalue"] = _cut(output["evalue"])
    for kind in _TEXT:
        if kind in output.get("data", {}):
            output["data"][kind] = _cut(_plain(output["data"][kind]))


def last_states(text: str) -> str:
    """A text with every line as a terminal leaves it, after its carriage returns."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _cut(text: str) -> str:
    if len(text) <= MOST_TEXT:
        return text
    half = MOST_TEXT // 2
    return (
        f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n"
        f"{text[-half:]}"
    )


def _leave_out_largest(outputs: list[dict[str, Any]]) -> None:
    sizes = sorted(_parts(outputs), key=lambda part: part[0])
    total = sum(size for size, *_ in sizes)
    while total > MOST_BYTES:
        size, holder, name = sizes.pop()
        total -= size
        words = f"{size / 1e6:.1f} MB of {name} left out"
        if holder.get("output_type") == "stream":
            holder[name] = words
        else:
            del holder[name]
            holder.setdefault("text/plain", words)


def _parts(outputs: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Every part of an output that can go: its size as written, where it lies."""
    for output in outputs:
        if output.get("output_type") == "stream":
            yield len(json.dumps(output["text"])), output, "text"
        for kind, value in output.get("data", {}).items():
            yield len(json.dumps(value)), output["data"], kind
