"""Why a row is dropped: unreadable, duplicate, sealed, or wrong gold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from phi_kit.core.errors import PhiKitError

from .dropped_rows import FilteredRow, Reason, SealHit, UnreadableRow
from .near_duplicates import NearDuplicateIndex
from .records import Seed, is_sentinel, normalise_prompt, same_answer
from .sealed_splits import Seal
from .verdict import UNREADABLE_GOLD, Verifier

# Signs that no one wrote.
_UNDECODABLE = {
    "\ufffd": "U+FFFD, which stands for what could not be read",
    "\0": "a NUL",
}


def filter_rows(
    seeds: Iterable[Seed],
    verifier: Verifier,
    seal: Seal,
    *,
    max_chars: int,
    near: NearDuplicateIndex | None = None,
    marks: Collection[str] = (),
) -> Iterator[FilteredRow]:
    """Each seed with `None` to keep it, or the reason to drop it.

    The first of several equal prompts is kept, and so is its answer; a later
    one that answers differently is named as a contradiction. Two prompts that only
    look alike and have different answers are two questions, and both are kept. A
    seed's ancestors are looked up among the seeds before it, and one that met the
    seal drops the seed too: a test item stays one when it is rewritten.

    Args:
        seeds: rows of any sources, parents before their children.
        verifier: the domain's; a gold must be right by it.
        seal: what training may never contain.
        max_chars: a longer prompt is dropped; a solution may be as long as it is.
        near: finds near-duplicates among rows no program has made.
        marks: control tokens of chat templates, which no row may have.
    """
    seen: dict[str, Seed] = {}
    known: dict[str, Seed] = {}
    for seed in seeds:
        reason = row_fault(seed, verifier, max_chars=max_chars, marks=marks)
        known.setdefault(seed.id, seed)
        reason = (
            reason
            or sealed_reason(seed, seal, known)
            or duplicate_reason(seed, seen, verifier)
        )
        if reason is None and near and not seed.generated:
            reason = near_duplicate_reason(seed, near, seen, verifier)
        if reason is None:
            seen[normalise_prompt(seed.prompt)] = seed
        yield seed, reason


def sealed_reason(
    seed: Seed, seal: Seal, known: dict[str, Seed], *, response: str = ""
) -> Reason | None:
    """The reason to drop a seed that met the seal, itself or by an ancestor.

    A worked solution may hold a test item, too: an example, or the next exercise.

    Args:
        seed: the row.
        seal: what training may never contain.
        known: seeds by id, among which ancestors are looked up.
        response: what it is trained on, where that is known.
    """
    hit = seal.hit(seed.prompt)
    if hit:
        return Reason("sealed", detail=_describe_hit(hit), hit=hit)
    for name, text in (("solution", seed.solution), ("response", response)):
        if text and (hit := seal.hit(text)):
            detail = f"in the {name}: {_describe_hit(hit)}"
            return Reason("sealed", detail=detail, hit=hit)
    for parent in ancestors(seed, known):
        hit = seal.hit(parent.prompt)
        if hit:
            text = f"ancestor {parent.id}: {_describe_hit(hit)}"
            return Reason("sealed ancestor", detail=text, hit=hit, of=parent.id)
    return None


def ancestors(seed: Seed, known: Mapping[str, Seed]) -> Iterator[Seed]:
    """The seed's parent, the parent's parent and so on, the nearest first.

    Args:
        seed: the row; `parent` names the seed it was made from.
        known: seeds by id. The chain ends where a parent is not among them.
    """
    seen = {seed.id}
    while seed.parent in known and seed.parent not in seen:
        seed = known[seed.parent]
        seen.add(seed.id)
        yield seed


def _describe_hit(hit: SealHit) -> str:
    return f"{hit.how} with item {hit.item}: {hit.span[:200]}"


def duplicate_reason(
    seed: Seed, seen: Mapping[str, Seed], verifier: Verifier
) -> Reason | None:
    """The reason to drop a seed whose prompt stands already, if it does.

    Args:
        seed: the row.
        seen: seeds by their normal prompts.
        verifier: says whether two golds are one.
    """
    first = seen.get(normalise_prompt(seed.prompt))
    if first is None:
        return None
    same = _same_gold(first, seed, verifier)
    text = "duplicate" if same else "contradicts another answer"
    return Reason(text, detail=f"of {first.id}")


def near_duplicate_reason(
    seed: Seed,
    near: NearDuplicateIndex,
    seen: Mapping[str, Seed],
    verifier: Verifier,
) -> Reason | None:
    """The reason to drop a seed that nearly asks what stands already, if it does.

    Args:
        seed: the row.
        near: remembers the prompts; this one too, if it is new.
        seen: seeds by their normal prompts.
        verifier: says whether two golds are one.
    """

    def same(prompt: str) -> bool:
        return _same_gold(seen[normalise_prompt(prompt)], seed, verifier)

    twin = near.find_duplicate(seed.prompt, same)
    if twin is None:
        return None
    return Reason("near duplicate", detail=f"of {seen[normalise_prompt(twin)].id}")


def _same_gold(first: Seed, second: Seed, verifier: Verifier) -> bool:
    """Whether two seeds have one answer, however each is written.

    Nothing contradicts a prompt whose answer is not known.
    """
    if first.unanswered or second.unanswered:
        return True
    one, other = _gold_text(first), _gold_text(second)
    if same_answer(one, other):
        return True
    if one != first.answer or other != second.answer:
        return False  # other options have other texts; a letter says nothing
    try:
        return verifier(first, second.answer).right
    except PhiKitError:
        raise
    except Exception:  # whatever a strange gold does to a parser
        return False


def _gold_text(seed: Seed) -> str:
    """A gold in words: of a choice the option's text, not its letter."""
    given = seed.facts.get("choices") if "choices" in seed.extra else None
    text = given.get(seed.answer) if isinstance(given, dict) else None
    return str(text) if text else seed.answer


def row_fault(
    seed: Seed, verifier: Verifier, *, max_chars: int, marks: Collection[str] = ()
) -> Reason | None:
    """The reason to drop a seed for what it is itself, if there is one.

    Args:
        seed: the row.
        verifier: its gold must be right by it.
        max_chars: of a prompt, at most.
        marks: control tokens, which no row may have.
    """
    if isinstance(seed, UnreadableRow):
        return Reason(seed.reason, detail=seed.detail)
    if not seed.prompt:
        return Reason("empty prompt")
    text = f"{seed.prompt}\n{seed.answer}"
    taught = f"{text}\n{seed.solution}"
    if found := next((sign for sign in _UNDECODABLE if sign in taught), ""):
        where = "" if found in text else ", in the solution"
        return Reason("undecodable text", detail=_UNDECODABLE[found] + where)
    if found := next((mark for mark in marks if mark in text), ""):
        return Reason("control token of a chat template", detail=found)
    if len(seed.prompt) > max_chars:
        return Reason("prompt too long", detail=f"{len(seed.prompt)} characters")
    if seed.unanswered:
        return None  # no gold to hold against itself: step 3's reference answers
    if is_sentinel(seed.answer):
        return Reason("no answer", detail=seed.answer)
    return _gold_fault(seed, verifier)


def _gold_fault(seed: Seed, verifier: Verifier) -> Reason | None:
    try:
        verdict = verifier(seed, seed.answer)
    except PhiKitError:  # the verifier itself cannot work: no fault of the row
        raise
    except Exception as error:  # whatever a strange gold does to a parser
        return Reason("the verifier fails on its gold", detail=repr(error)[:300])
    if verdict.right:
        return None
    if verdict.value == "unknown" and verdict.reason != UNREADABLE_GOLD:
        return Reason("the verifier cannot judge its gold", detail=verdict.reason)
    return Reason("gold fails its own verifier", detail=verdict.reason)
