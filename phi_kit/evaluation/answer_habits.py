"""How a model answers, beside whether it is right: cut off, in loops, how steadily."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.stats.intervals import wilson_interval

from .metrics import scores

if TYPE_CHECKING:
    import pandas as pd

_LOOKED_AT = 600  # characters at a response's end
# A piece of some words that stands four times or more, one after another, at the end.
_LOOP = re.compile(r"(\S.{3,140}?)(?:\s*\1){3,}.{0,140}\Z", re.DOTALL)


def loops(text: str) -> bool:
    """Whether a response ends in a piece that is repeated over and over."""
    return bool(_LOOP.search(text[-_LOOKED_AT:].strip()))


def habits(samples: pd.DataFrame) -> dict[str, float]:
    """Truncation with its 95 % interval, tokens per answer, and the share of loops.

    Args:
        samples: rows of `ask`.

    Returns:
        `truncated`, `truncated_low`, `truncated_high`, `tokens`, `loops`.
    """
    cut, n = int((samples.finish == "length").sum()), len(samples)
    low, high = wilson_interval(cut, n)
    return {
        "truncated": round(cut / n, 4) if n else 0.0,
        "truncated_low": round(low, 4),
        "truncated_high": round(high, 4),
        "tokens": float(samples.tokens.mean()),
        "loops": float(samples.text.map(loops).mean()) if "text" in samples else 0.0,
    }


def repeated(samples: pd.DataFrame) -> dict[str, Any]:
    """pass@k and G-pass@k over the samples of each item, for as many as all have.

    Args:
        samples: rows of `ask`; what was not answered does not count.

    Returns:
        `k`, `pass`, `g_pass_half`, `g_pass_all`, `mg_pass`; empty below two samples
        an item.
    """
    answered = samples[~samples.finish.isin(UNANSWERED)]
    counts = [
        (len(part), int((part.verdict == "right").sum()))
        for _, part in answered.groupby("seed_id")
    ]
    k = min((n for n, _ in counts), default=0)
    if k < 2:
        return {}

    def mean(measure: Any, *more: Any) -> float:
        return sum(measure(n, right, k, *more) for n, right in counts) / len(counts)

    return {
        "k": k,
        "pass": mean(scores.pass_at_k),
        "g_pass_half": mean(scores.g_pass_at_k, 0.5),
        "g_pass_all": mean(scores.g_pass_at_k, 1.0),
        "mg_pass": mean(scores.mean_g_pass_at_k),
    }
