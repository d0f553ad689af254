"""The same question answered by base and by the final adapter.

Nobody picks the questions: of every way in which two answers can turn out, the first
question in the order of the sealed test set is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phi_kit.core import step_table
from phi_kit.core.errors import RunError
from phi_kit.core.finished_run import RunFolder

RIGHT = "right"
# Whether base and final are right, and how that is said.
OUTCOMES: Mapping[tuple[bool, bool], str] = {
    (False, True): "only the final adapter is right",
    (True, False): "only base is right",
    (False, False): "neither is right",
    (True, True): "both are right",
}
_LONGEST = 1500  # characters of an answer; a rambling one says no more


@dataclass(frozen=True)
class ShownAnswer:
    """What a model answered: its text, the verdict, and how it ended."""

    text: str
    verdict: str
    finish: str


@dataclass(frozen=True)
class SideBySide:
    """A question of one outcome, and how many came out like it.

    Attributes:
        outcome: who is right.
        items: questions with this outcome, by the first sample of each.
        of: all questions.
        question: the first of them.
        gold: its answer.
        base: what base answered.
        final: what the final adapter answered.
    """

    outcome: str
    items: int
    of: int
    question: str
    gold: str
    base: ShownAnswer
    final: ShownAnswer


def side_by_side(study: str, domain: str) -> list[SideBySide]:
    """One question of each outcome, the most frequent change first.

    Returns:
        Nothing where step 7 has not finished, its files or the sealed set cannot be
        read, or the set is another one by now.
    """
    benchmark = RunFolder.of(study, step_table.BENCHMARK)
    card = RunFolder.of(study, step_table.PICK_DOMAIN, domain=domain)
    try:
        manifest = benchmark.manifest
        asked = manifest["inputs"].get(f"{domain}/{step_table.PICK_DOMAIN}")
        if "samples.parquet" not in manifest["files"] or asked != card.outcome:
            return []
        return _of_each_outcome(benchmark, card, domain)
    except RunError:
        return []


def _of_each_outcome(
    benchmark: RunFolder, card: RunFolder, domain: str
) -> list[SideBySide]:
    # They load torch, and most reports are written where it is loaded already.
    from phi_kit.data.sealed_splits import unseal
    from phi_kit.steps.benchmark import Params

    items = unseal(card, "test", params=Params())
    samples = benchmark.table("samples")
    own = samples[samples.domain == domain].drop_duplicates(["model", "seed_id"])
    answers = {
        model: {row.seed_id: row for row in part.itertuples()}
        for model, part in own.groupby("model")
    }
    base, final = answers.get("base", {}), answers.get("final", {})
    by_outcome: dict[str, list] = {}
    for item in items:
        if item.id in base and item.id in final:
            right = base[item.id].verdict == RIGHT, final[item.id].verdict == RIGHT
            by_outcome.setdefault(OUTCOMES[right], []).append(item)
    total = sum(map(len, by_outcome.values()))
    return [
        SideBySide(
            outcome,
            len(found),
            total,
            found[0].prompt,
            found[0].answer,
            _answer(base[found[0].id]),
            _answer(final[found[0].id]),
        )
        for outcome, found in sorted(by_outcome.items(), key=_first_the_changes)
    ]


def _first_the_changes(entry: tuple[str, Sequence]) -> tuple[bool, int]:
    outcome, items = entry
    return outcome in (OUTCOMES[False, False], OUTCOMES[True, True]), -len(items)


def _answer(row) -> ShownAnswer:
    text = str(row.text).strip()
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    return ShownAnswer(cut, str(row.verdict), str(row.finish))
