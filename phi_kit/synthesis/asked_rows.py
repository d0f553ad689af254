"""Asking models for rows, and for a second answer to what they wrote.

Every reply becomes a row or a dropped one with its reason; what a budget does not
reach is told, too. Replies stand in the ledger: a second run pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.data.dropped_rows import Reason
from phi_kit.data.records import Seed
from phi_kit.domains.transform import SOURCE, Transform
from phi_kit.inference.draw import draw
from phi_kit.inference.types import Completion, Sampler, SamplingParams
from phi_kit.responses.study_sources import StudySources

from .gates import Gate, MixRow, Passed

REPLY = "reply"  # the gate that replies come through
_INSTRUCTION = "You rewrite questions and solutions for a training set."
NOT_ASKED = Reason("not asked", detail="the teacher's budget was spent")


@dataclass
class AskedModels:
    """The models that carry out transforms.

    Args:
        open_model: opens the model of a role, `teacher` or `student`.
        sources: of the study: how a question is asked, and the teacher's budget.
        sampling: token limit and temperature.
        rng_seed: of the random streams.
    """

    open_model: Callable[[str], Sampler]
    sources: StudySources
    sampling: SamplingParams
    rng_seed: int

    def rows(
        self,
        transforms: Iterable[Transform],
        seeds: Sequence[Seed],
        taught: Mapping[str, str],
    ) -> Passed:
        """The rows that models make of seeds, and the replies that make none.

        Args:
            transforms: those that need a model.
            seeds: what they are asked about.
            taught: by the id of a seed, the response that it teaches.
        """
        kept: list[MixRow] = []
        dropped: list[tuple[MixRow, str]] = []
        for transform in transforms:
            pairs = _asked(transform, seeds, taught)
            replies = self._replies(transform, [words for _, words in pairs])
            for (seed, _), reply in zip(pairs, replies, strict=True):
                rows, reason = _read(transform, seed, reply)
                kept += rows
                if reason is not None:
                    dropped.append((_refused(transform, seed, reply), reason))
        return kept, dropped

    def _replies(
        self, transform: Transform, words: Sequence[str]
    ) -> list[Completion | None]:
        """One reply each; `None` for those that the budget does not reach."""
        if not words:
            return []
        reach = self._reach(transform.who, len(words))
        model = self.open_model(transform.who)
        drawn = draw(
            model,
            [model.render(_INSTRUCTION, one) for one in words[:reach]],
            self.sampling,
            rng_seed=self.rng_seed,
            label=f"transform {transform.name}",
        )
        return [one[0] for one in drawn] + [None] * (len(words) - reach)

    def _reach(self, who: str, wanted: int) -> int:
        """How many samples may be taken, and note them as taken."""
        if who != "teacher":
            return wanted
        room = self.sources.room
        reach = wanted if room is None else min(wanted, room)
        self.sources.spent += reach
        return reach

    def second_answers(self, by: Iterable[str], samples: int) -> Gate:
        """The gate that asks a teacher the new question: it has to find the gold.

        Args:
            by: the transforms whose rows are a model's words.
            samples: of each row; more than half of them must be right.
        """
        names = set(by)

        def gate(rows: Sequence[MixRow]) -> Passed:
            asked = [one for one in rows if one.by in names and not one.completion]
            reach = self._reach("teacher", samples * len(asked)) // max(samples, 1)
            why = {id(one): NOT_ASKED for one in asked[reach:]}
            drawn = self._answers(asked[:reach], samples)
            for one, answers in zip(asked, drawn, strict=False):
                why[id(one)] = self._disagreement(one, answers)
            kept = [one for one in rows if why.get(id(one)) is None]
            return kept, [(one, why[id(one)]) for one in rows if why.get(id(one))]

        return gate

    def _answers(self, rows: Sequence[MixRow], k: int) -> list[list[Completion]]:
        if not rows:
            return []
        model = self.open_model("teacher")
        domain = self.sources.domain
        prompts = [domain.asked(one.seed).rendered(model.render) for one in rows]
        return draw(
            model,
            prompts,
            self.sampling,
            k=k,
            rng_seed=self.rng_seed,
            label="second answers",
        )

    def _disagreement(self, row: MixRow, answers: Sequence[Completion]) -> str | None:
        verifier = self.sources.domain.verifier
        verdicts = [verifier(row.seed, one.text) for one in answers]
        right = sum(one.right for one in verdicts)
        if 2 * right > len(answers):
            return None
        said = ", ".join(one.extracted or one.value for one in verdicts)
        return Reason("no second answer agrees", detail=said[:200])


def wanted_rows(
    transforms: Iterable[Transform], seeds: Sequence[Seed], taught: Mapping[str, str]
) -> list[MixRow]:
    """What `AskedModels.rows` will ask for, as it is told where nobody replies."""
    return [
        _refused(one, seed, None)
        for one in transforms
        for seed, _ in _asked(one, seeds, taught)
    ]


def _asked(
    transform: Transform, seeds: Sequence[Seed], taught: Mapping[str, str]
) -> list[tuple[Seed, str]]:
    """The seeds that a model is asked about, each with its response, and the words."""
    known = [replace(one, solution=taught.get(one.id, "")) for one in seeds]
    pairs = [(seed, transform.asks(seed)) for seed in known]
    return [(seed, words) for seed, words in pairs if words]


def _read(
    transform: Transform, seed: Seed, reply: Completion | None
) -> tuple[list[MixRow], str | None]:
    """The rows of a reply, or why it gives none."""
    if reply is None:
        return [], NOT_ASKED
    if reply.finish in UNANSWERED:
        return [], Reason("no reply", detail=UNANSWERED[reply.finish])
    if reply.finish != "stop":
        return [], Reason("truncated", detail=f"it ended with {reply.finish}")
    found = transform.reads(seed, reply.text)
    if isinstance(found, str):
        what, _, detail = found.partition(": ")
        return [], Reason(what, detail=detail)
    return [_row(transform, seed, one) for one in found], None


def _row(transform: Transform, seed: Seed, made: Seed) -> MixRow:
    """A row; where it asks what its parent asks, its solution is what it teaches."""
    again = made.prompt == seed.prompt
    return MixRow(made, made.solution if again else "", "synthetic", transform.name)


def _refused(transform: Transform, seed: Seed, reply: Completion | None) -> MixRow:
    """What stands in the table of dropped rows for a reply that gave no row."""
    source = f"{SOURCE}{transform.name}"
    told = replace(seed, parent=seed.id, source=source, solution="")
    return MixRow(told, reply.text if reply else "", "synthetic", transform.name)
