"""What every verifier returns, and the one way to call it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from phi_kit.data.records import Seed


@dataclass(frozen=True)
class Verdict:
    """What a verifier says of one response.

    `unknown` means that nobody can tell: the *gold* cannot be read. A response
    without a readable answer is `wrong`, with that as its reason.
    """

    value: Literal["right", "wrong", "unknown"]
    reason: str
    extracted: str = ""

    @property
    def right(self) -> bool:
        """Whether the response earned its point."""
        return self.value == "right"


Verifier = Callable[[Seed, str], Verdict]

_THINK = re.compile(r"<think>.*?(</think>|$)", re.DOTALL)


def visible(response: str) -> str:
    """The response without its thinking block; answers in there do not count."""
    head, closed, tail = response.partition("</think>")
    if closed and "<think>" not in head:  # some templates open the block themselves
        response = tail
    return _THINK.sub("", response).strip()


def compare(gold: object, found: object, *, shown: str) -> Verdict:
    """Right or wrong for two parsed answers; `None` means unreadable."""
    if gold is None:
        return Verdict("unknown", "the gold answer cannot be read", shown)
    if found is None:
        return Verdict("wrong", "no answer found", shown)
    if gold == found:
        return Verdict("right", "equal", shown)
    return Verdict("wrong", "another answer", shown)
