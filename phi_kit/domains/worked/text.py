"""How a worked solution is written, the same for every family.

A small model writes a solution token by token, and each token has to follow from
what it can see with one small step: so a line states one fact, numbers and letters
stand apart where the tokenizer would join them, what is carried stands written out,
and nothing is announced before it has been worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from phi_kit.core.answer_style import ANSWER_MARK
from phi_kit.data.records import Seed

# `short` is the least that leaves no step out, for small models; `long` says more.
Form = Literal["short", "long"]
# A seed and a form in; the solution out, or `None` where it cannot be worked.
Work = Callable[[Seed, Form], "str | None"]
# Begins the last line, or stands above it where the answer has lines of its own.
ANSWER = ANSWER_MARK


def solution(
    seed: Seed,
    steps: Iterable[str],
    answer: object,
    *,
    fence: str | None = None,
    below: bool = False,
) -> str | None:
    """The steps and then the marked answer; `None` if that is not the seed's gold.

    Args:
        seed: what was asked.
        steps: the lines before the answer.
        answer: what the steps arrive at.
        fence: the language of the fence that printed text or code stands in.
        below: whether the answer stands below its mark, as one of several lines does.
    """
    if str(answer) != seed.answer:
        return None
    return written(steps, answer, fence=fence, below=below)


def written(
    steps: Iterable[str],
    answer: object,
    *,
    fence: str | None = None,
    below: bool = False,
) -> str:
    """The steps, and the answer behind its mark."""
    said = str(answer)
    if fence is not None:
        said = f"\n```{fence}\n{said}\n```"
    elif below or "\n" in said:
        said = f"\n{said}"
    else:
        said = f" {said}"
    return "\n".join([*steps, f"{ANSWER}{said}"])


def spelled(word: str, between: str = ", ") -> str:
    """The letters of a word apart, so that each is a token of its own."""
    return between.join(word)
