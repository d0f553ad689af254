"""A worker that lets math-verify read a whole response in its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def warm() -> None:
    """Import and run everything once, so that no item pays for it."""
    run({"gold": r"\frac{1}{2}", "answer": "$0.5$"}, lambda stage: None)


def run(job: dict[str, Any], say: Callable[[str], None]) -> str:
    """Compare `gold` with a response, `answer`: "equal" or "different"."""
    from math_verify import parse, verify

    # Without dollar signs `(1, 2]` would be read as its last number.
    gold = parse(f"${job['gold']}$", parsing_timeout=None) or parse(
        job["gold"], parsing_timeout=None
    )
    answer = parse(job["answer"], parsing_timeout=None)
    return "equal" if verify(gold, answer, timeout_seconds=None) else "different"
