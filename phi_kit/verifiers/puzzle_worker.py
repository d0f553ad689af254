"""What a puzzle worker runs: reasoning-gym's own scorer, in its own process.

Some scorers hand the answer to sympy's `parse_expr`, which evaluates it as
Python; `puzzle` lets only a puzzle's own letters through, and the process can
be killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any


def warm() -> None:
    """Import the catalogue once, so that no item pays for it."""
    import reasoning_gym  # noqa: F401


@cache
def _scorer(task: str, config: str) -> Callable[..., float]:
    import reasoning_gym

    dataset = reasoning_gym.create_dataset(task, size=1, seed=0, **json.loads(config))
    return dataset.score_answer


def run(job: dict[str, Any], say: Callable[[str], None]) -> str:
    """Score `answer` for `entry` of `task`; full credit is "full", else "less"."""
    say("entry")
    score = _scorer(job["task"], json.dumps(job.get("config") or {}))
    say("answer")
    return "full" if score(job["answer"], job["entry"]) == 1.0 else "less"
