"""Rows of prompt, gold and response on JSONL, one verdict each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from phi_kit.data.records import Seed

from .base import Verdict, Verifier, guarded


def verify_rows(
    lines: Iterable[str | bytes], verifier: Verifier, *, domain: str
) -> Iterator[dict[str, Any]]:
    """One result per line that is not blank, in order; no line is ever lost.

    Args:
        lines: JSON objects with `gold`, `response` and, as needed, `prompt`,
            `extra` (an object, or its JSON) and `finish`.
        verifier: who judges.
        domain: the seeds' domain.

    Returns:
        `line`, `verdict`, `lenient`, `reason`, `extracted`, and `truncated`
        where `finish` is "length". A line that cannot be read has the verdict
        unknown and `malformed`.
    """
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
        if not text.strip("\ufeff \t\r\n"):
            continue
        row = _parse_line(text)
        if isinstance(row, str):
            yield {
                "line": number,
                **_as_columns(Verdict("unknown", row)),
                "malformed": True,
            }
            continue
        truncated = {"truncated": True} if row.get("finish") == "length" else {}
        verdict = _verify_row(row, verifier, domain)
        unparsed = {"unparsed": True} if verdict.unparsed else {}
        yield {"line": number, **_as_columns(verdict), **truncated, **unparsed}


def _as_columns(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.value,
        "lenient": verdict.lenient,
        "reason": verdict.reason,
        "extracted": verdict.extracted,
    }


def _parse_line(text: str) -> dict[str, Any] | str:
    """The row, or what is wrong with the line."""
    try:
        row = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        return f"no JSON: {str(error)[:80]}"
    if not isinstance(row, Mapping):
        return f"no object with gold and response, but {type(row).__name__}"
    for name in ("gold", "response"):
        if name not in row:
            return f"the row has no '{name}'"
        if not isinstance(row[name], str | int | float) or row[name] is None:
            return f"'{name}' is no text, but {type(row[name]).__name__}"
    extra = row.get("extra") or {}
    try:
        extra = json.loads(extra) if isinstance(extra, str) else extra
    except (ValueError, RecursionError):
        return "'extra' is no JSON"
    if not isinstance(extra, Mapping):
        return f"'extra' is no object, but {type(extra).__name__}"
    own_columns = {name: row[name] for name in ("choices", "answer_is") if name in row}
    return {**row, "extra": {**own_columns, **extra}}


def _verify_row(row: Mapping[str, Any], verifier: Verifier, domain: str) -> Verdict:
    seed = Seed(
        domain,
        str(row.get("prompt") or ""),
        str(row["gold"]),
        extra=json.dumps(row["extra"]),
    )
    return guarded(verifier)(seed, str(row["response"]))


def summary_line(results: Counter[str]) -> str:
    """The counts of a file in one line, the unparsed rate among them."""
    read = results["read"]
    rate = results["unparsed"] / read if read else 0.0
    lenient = results["lenient right"]
    return (
        f"{read} rows: {results['right']} right, {results['wrong']} wrong, "
        f"{results['unknown']} unknown; leniently right {lenient}; "
        f"unparsed {results['unparsed']} ({rate:.1%}); "
        f"truncated {results['truncated']}; malformed {results['malformed']}"
    )


def count_result(counts: Counter[str], result: Mapping[str, Any]) -> None:
    """Add one result to the counts of `summary`."""
    counts["read"] += 1
    counts[result["verdict"]] += 1
    counts["lenient right"] += result["lenient"] == "right"
    for name in ("unparsed", "truncated", "malformed"):
        counts[name] += bool(result.get(name))
