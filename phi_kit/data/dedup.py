"""Why a row is dropped: unreadable, duplicate, sealed, or wrong gold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .records import Seed, normal
from .seal import Seal

if TYPE_CHECKING:
    from phi_kit.verify.base import Verifier

# What data sets write where an answer should be.
SENTINELS = {"", "proof", "notfound", "n/a", "none", "null", "nan", "unknown"}


def judge(
    seeds: Iterable[Seed], verifier: Verifier, seal: Seal, *, max_chars: int
) -> Iterator[tuple[Seed, str | None]]:
    """Each seed with `None` to keep it, or the reason to drop it.

    The first of several equal prompts is kept, and so is its answer; a later
    one that answers differently is named as a contradiction.
    """
    seen: dict[str, str] = {}
    for seed in seeds:
        name = normal(seed.prompt)
        reason = _fault(seed, verifier, max_chars=max_chars)
        if reason is None and seed.prompt in seal:
            reason = "sealed"
        if reason is None and name in seen:
            same = normal(seed.answer) == seen[name]
            reason = "duplicate" if same else "contradicts another answer"
        if reason is None:
            seen[name] = normal(seed.answer)
        yield seed, reason


def _fault(seed: Seed, verifier: Verifier, *, max_chars: int) -> str | None:
    if not seed.prompt:
        return "empty prompt"
    if "\ufffd" in seed.prompt + seed.answer:
        return "undecodable text"
    if len(seed.prompt) > max_chars:
        return "prompt too long"
    if seed.answer.casefold() in SENTINELS:
        return "no answer"
    verdict = verifier(seed, seed.answer)
    return None if verdict.right else "gold fails its own verifier"
