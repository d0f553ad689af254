"""The style of a study: in which form a model answers, base and tuned alike.

`answer` is the bare answer; `steps` are worked steps and then a marked answer;
`think` is a thought between tags, then the solution with the marked answer, the form
of Phi-4-reasoning (arXiv 2504.21318, section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Style = Literal["answer", "steps", "think"]
STYLES: tuple[Style, ...] = get_args(Style)
# Tokens of an answer, where a study sets no limit: kit defaults for a tiny model.
TOKEN_LIMITS: Mapping[Style, int] = {"answer": 16, "steps": 64, "think": 4096}
# The same of a strong model (teacher, reference): its thoughts run long, the report's
# student is trained up to 32k (arXiv 2504.21318). Kit defaults.
STRONG_TOKEN_LIMITS: Mapping[Style, int] = {
    "answer": 512,
    "steps": 1024,
    "think": 8192,
}
# What begins the line of the final answer.
ANSWER_MARK = "Answer:"


def token_limit(given: int | None, style: Style, *, strong: bool = False) -> int:
    """The limit a study sets, or the one of its style, for a `strong` model its own."""
    limits = STRONG_TOKEN_LIMITS if strong else TOKEN_LIMITS
    return limits[style] if given is None else given
