"""What a symbolic worker runs: math-verify and sympy, in a process of its own.

Nothing here guards against time or memory; `worker_pool` kills the process. The
timeouts of math-verify itself use signals, which work in main threads only:
they are switched off (Math-Verify #55).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Above this relative difference two formulas are not equal, whatever a
# comparison says (kit default); the noise of 30-digit evaluation lies far below.
_TOLERANCE = 1e-9
_POINTS = ("0.37", "1.61", "2.83")


def warm() -> None:
    """Import and run everything once, so that no item pays for it."""
    _equal(_read(r"\frac{1}{2}"), _read("0.5+x-x"))


def run(job: dict[str, Any], say: Callable[[str], None]) -> str:
    """Compare `gold` and `answer`, two formulas.

    Returns:
        "equal", "different", "no gold" or "no answer" (cannot be read).
        `say` is told which of them is being worked on.
    """
    say("gold")
    gold = _read(job["gold"])
    if gold is None:
        return "no gold"
    if hasattr(gold, "doit"):
        gold.doit()  # evaluated first, so that a time-out is attributed to the gold
    say("answer")
    answer = _read(job["answer"])
    if answer is None:
        return "no answer"
    return "equal" if _equal(gold, answer) else "different"


def _read(text: str) -> Any:
    """The formula, or `None`; never a number picked out of a broken one."""
    from math_verify import LatexExtractionConfig, parse

    parsed = parse(
        f"${text}$",
        extraction_config=[LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
    )
    return parsed[0] if parsed and not isinstance(parsed[0], str) else None


def _equal(gold: Any, answer: Any) -> bool:
    """Equal by math-verify in either direction, unless the numbers contradict."""
    from math_verify import verify

    if not any(
        verify(one, other, timeout_seconds=None)
        for one, other in ((gold, answer), (answer, gold))
    ):
        return False
    return not _contradicted(gold, answer)


def _contradicted(gold: Any, answer: Any) -> bool:
    """Whether the two differ at a few points, evaluated to 30 digits."""
    from sympy import Expr, Float, Rational

    if not isinstance(gold, Expr) or not isinstance(answer, Expr):
        return False
    symbols = sorted(gold.free_symbols | answer.free_symbols, key=str)
    tolerance = 1e-5 if gold.has(Float) or answer.has(Float) else _TOLERANCE
    differing = 0
    for index, point in enumerate(_POINTS):
        at = {s: Rational(point) + index * i for i, s in enumerate(symbols)}
        try:
            a, b = (complex(e.doit().subs(at).evalf(30)) for e in (gold, answer))
        except (TypeError, ValueError, OverflowError, AttributeError):
            return False  # cannot be evaluated: math-verify decides
        if abs(a - b) > tolerance * max(abs(a), abs(b)):
            differing += 1
    return differing > 1
