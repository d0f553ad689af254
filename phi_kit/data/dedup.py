"""Why a row is dropped: unreadable, duplicate, sealed, or wrong gold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from phi_kit.core.errors import PhiKitError

from .lineage import ancestors
from .nearness import Near
from .quarantine import Hit, Judged, Reason, Unread
from .records import Seed, is_sentinel, normal
from .seal import Seal

if TYPE_CHECKING:
    from phi_kit.verify.base import Verifier


def judge(
    seeds: Iterable[Seed],
    verifier: Verifier,
    seal: Seal,
    *,
    max_chars: int,
    near: Near | None = None,
) -> Iterator[Judged]:
    """Each seed with `None` to keep it, or the reason to drop it.

    The first of several equal prompts is kept, and so is its answer; a later
    one that answers differently is named as a contradiction. A seed's
    ancestors are looked up among the seeds before it, and one that met the
    seal drops the seed too: a test item stays one when it is rewritten.

    Args:
        seeds: rows of any sources, parents before their children.
        verifier: the domain's; a gold must be right by it.
        seal: what training may never contain.
        max_chars: a longer prompt is dropped.
        near: finds near-duplicates among rows no program has made.
    """
    seen: dict[str, tuple[str, str]] = {}
    known: dict[str, Seed] = {}
    for seed in seeds:
        reason = _fault(seed, verifier, max_chars=max_chars)
        known.setdefault(seed.id, seed)
        reason = reason or sealed(seed, seal, known) or _again(seed, seen)
        if reason is None and near and not seed.generated:
            twin = near.twin(seed.prompt)
            if twin:
                reason = Reason("near duplicate", detail=f"of {_first(twin, seen)}")
        if reason is None:
            seen[normal(seed.prompt)] = (normal(seed.answer), seed.id)
        yield seed, reason


def sealed(seed: Seed, seal: Seal, known: dict[str, Seed]) -> Reason | None:
    """The reason to drop a seed that met the seal, itself or by an ancestor."""
    hit = seal.hit(seed.prompt)
    if hit:
        return Reason("sealed", detail=_said(hit), hit=hit)
    for parent in ancestors(seed, known):
        hit = seal.hit(parent.prompt)
        if hit:
            text = f"ancestor {parent.id}: {_said(hit)}"
            return Reason("sealed ancestor", detail=text, hit=hit, of=parent.id)
    return None


def _said(hit: Hit) -> str:
    return f"{hit.how} with item {hit.item}: {hit.span[:200]}"


def _again(seed: Seed, seen: dict[str, tuple[str, str]]) -> Reason | None:
    answer, first = seen.get(normal(seed.prompt), ("", ""))
    if not first:
        return None
    # Nothing contradicts a prompt whose answer is not known; the first stays.
    same = normal(seed.answer) == answer or seed.unanswered or not answer
    text = "duplicate" if same else "contradicts another answer"
    return Reason(text, detail=f"of {first}")


def _first(prompt: str, seen: dict[str, tuple[str, str]]) -> str:
    return seen[normal(prompt)][1]


def _fault(seed: Seed, verifier: Verifier, *, max_chars: int) -> Reason | None:
    if isinstance(seed, Unread):
        return Reason(seed.reason, detail=seed.detail)
    if not seed.prompt:
        return Reason("empty prompt")
    if any(mark in seed.prompt + seed.answer for mark in ("\ufffd", "\0")):
        return Reason("undecodable text")
    if len(seed.prompt) > max_chars:
        return Reason("prompt too long", detail=f"{len(seed.prompt)} characters")
    if seed.unanswered:
        return None  # no gold to hold against itself: step 3's reference answers
    if is_sentinel(seed.answer):
        return Reason("no answer", detail=seed.answer)
    return _gold(seed, verifier)


def _gold(seed: Seed, verifier: Verifier) -> Reason | None:
    try:
        verdict = verifier(seed, seed.answer)
    except PhiKitError:  # the verifier itself cannot work: no fault of the row
        raise
    except Exception as error:  # whatever a strange gold does to a parser
        return Reason("the verifier fails on its gold", detail=repr(error)[:300])
    if verdict.right:
        return None
    return Reason("gold fails its own verifier", detail=verdict.reason)
