"""A strong model's answers: where no gold is known, and to what nobody solves.

Its plurality answer stands in for a gold if it is sure: enough of its samples
agree, and enough more than on the runner-up; with a second family, that one must
be sure of the same. A plurality can be wrong all the same, so the reference also
answers seeds whose gold is known, and the manifest says how often it was wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from phi_kit.core import thinking
from phi_kit.core.errors import DataError
from phi_kit.core.rng import rng
from phi_kit.data.records import NO_GOLD, Seed
from phi_kit.evaluation.equal_answers import grouped_answers
from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.types import Completion, Sampler, SamplingParams
from phi_kit.stats.intervals import wilson_interval
from phi_kit.verifiers.base import Verifier

from .voting import Votes, vote

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.domains.base import Domain


ANSWERED_BY = "answered_by"  # the key in `extra` that names whose answer it is
SPLIT = "the reference is split"


@dataclass(frozen=True)
class ReferenceRules:
    """Who is asked, how often, and when it is sure; thresholds are kit defaults.

    The report takes the plurality of a strong model and publishes no threshold.
    """

    models: tuple[str, ...]
    samples: int
    tokens: int
    share: float
    margin: float
    sampler: Callable[[str], Sampler] = completion.load


@dataclass(frozen=True)
class ReferenceOpinion:
    """What the reference makes of a seed.

    Args:
        seed: what it was asked.
        votes: the first family's.
        sure: whether its answer may stand for a gold.
        samples: every answer with the name of the model that gave it.
    """

    seed: Seed
    votes: Votes
    sure: bool
    samples: tuple[tuple[str, Completion], ...] = ()

    @property
    def answer(self) -> str:
        """The plurality's answer, empty if nothing was answered."""
        return self.votes.answer

    def agrees(self, verifier: Verifier) -> bool:
        """Whether the seed's own gold is what the reference answers."""
        return bool(self.answer) and verifier(self.seed, self.answer).right


def ask_references(
    rules: ReferenceRules, domain: Domain, seeds: Sequence[Seed], *, rng_seed: int
) -> list[ReferenceOpinion]:
    """Ask every family about every seed; one opinion each, in their order."""
    if not seeds:
        return []
    families = [
        _reference_votes(name, rules, domain, seeds, rng_seed=rng_seed)
        for name in rules.models
    ]
    found = []
    for seed, *asked in zip(seeds, *families, strict=True):
        votes = [one for one, _ in asked]
        first = votes[0]
        sure = all(one.reaches(rules.share, rules.margin) for one in votes)
        held = replace(seed, answer=first.answer)
        same = all(domain.verifier(held, one.answer).right for one in votes[1:])
        said = tuple(
            (name, sample)
            for name, (_, samples) in zip(rules.models, asked, strict=True)
            for sample in samples
        )
        found.append(ReferenceOpinion(seed, first, sure and same, said))
    return found


def _reference_votes(
    name: str,
    rules: ReferenceRules,
    domain: Domain,
    seeds: Sequence[Seed],
    *,
    rng_seed: int,
) -> list[tuple[Votes, Sequence[Completion]]]:
    model = rules.sampler(name)
    prompts = [domain.asked(seed).rendered(model.render) for seed in seeds]
    drawn = draw(
        model,
        prompts,
        SamplingParams(rules.tokens),
        k=rules.samples,
        rng_seed=rng_seed,
        label=f"reference {name}",
    )
    found = []
    for seed, prompt, samples in zip(seeds, prompts, drawn, strict=True):
        opened = thinking.opened_by(prompt)
        # What was cut off, or taken away by a filter, has not answered.
        texts = [opened + one.text if one.finish == "stop" else "" for one in samples]
        votes = vote(grouped_answers(seed, texts, domain.verifier))
        found.append((votes, samples))
    return found


@dataclass(frozen=True)
class AnswerKey:
    """The seeds with the answers that the reference supplied.

    Args:
        seeds: all of them, in their order; one stays without an answer where the
            reference was not sure.
        asked: what the reference was asked and said, as a table.
        opinions: of every seed that it was asked about, with its answers.
        report: how many it answered, and how often it was wrong on known golds.
    """

    seeds: list[Seed]
    asked: pd.DataFrame
    opinions: Sequence[ReferenceOpinion]
    report: dict[str, Any]


def answer_key(
    rules: ReferenceRules,
    domain: Domain,
    seeds: Sequence[Seed],
    *,
    known: int,
    rng_seed: int,
) -> AnswerKey:
    """Answer the seeds without gold, and as a test some whose gold is known.

    Args:
        rules: who is asked; without a model every seed needs its own gold.
        domain: says how to ask and which answers are equal.
        seeds: all seeds.
        known: how many seeds with gold are asked.
        rng_seed: which of them, and every answer.

    Raises:
        DataError: seeds lack their gold and no reference is named.
    """
    import pandas as pd

    lacking = [seed for seed in seeds if not seed.answer]
    if not rules.models:
        if lacking:
            raise DataError(
                f"{len(lacking)} of {len(seeds)} seeds have no gold answer",
                where=lacking[0].source,
                todo="name a strong model as filter_edge.reference, or leave out "
                "no_gold in collect_seeds.sources",
            )
        return AnswerKey(list(seeds), pd.DataFrame(), (), {})
    golden = [seed for seed in seeds if seed.answer]
    order = rng(rng_seed, "gold slice").permutation(len(golden))[:known]
    tested = [golden[i] for i in sorted(order)]
    opinions = ask_references(rules, domain, [*lacking, *tested], rng_seed=rng_seed)
    new, test = opinions[: len(lacking)], opinions[len(lacking) :]
    answered = {one.seed.id: _with_answer(one, rules) for one in new if one.sure}
    return AnswerKey(
        [answered.get(seed.id, seed) for seed in seeds],
        pd.concat([opinion_table(new, "no gold"), opinion_table(test, "gold slice")]),
        [replace(one, seed=answered.get(one.seed.id, one.seed)) for one in opinions],
        {
            "models": list(rules.models),
            "without_gold": len(lacking),
            "answered": len(answered),
            "gold_slice": gold_error_rate(test, domain.verifier),
        },
    )


def _with_answer(opinion: ReferenceOpinion, rules: ReferenceRules) -> Seed:
    """The seed with the reference's answer as its gold; it says whose that is."""
    facts = {key: value for key, value in opinion.seed.facts.items() if key != NO_GOLD}
    extra = json.dumps(facts | {ANSWERED_BY: list(rules.models)})
    return replace(opinion.seed, answer=opinion.answer, extra=extra)


def gold_error_rate(
    opinions: Sequence[ReferenceOpinion], verifier: Verifier
) -> dict[str, Any]:
    """How often the reference is sure and wrong, on seeds whose gold is known.

    Returns:
        `asked`, `sure`, `wrong` of the sure, their share with Wilson's 95 %
        interval. It holds for seeds without gold as far as they are like these.
    """
    sure = [one for one in opinions if one.sure]
    wrong = sum(not one.agrees(verifier) for one in sure)
    low, high = wilson_interval(wrong, len(sure))
    share = wrong / len(sure) if sure else None
    counts = {"asked": len(opinions), "sure": len(sure), "wrong": wrong}
    return counts | {"share": share, "low": low, "high": high}


def frontier_doubt(opinion: ReferenceOpinion, verifier: Verifier) -> str:
    """Why a seed that the student never solves is no `frontier`; empty if it is.

    The frontier is what a strong model can solve: what it is split on may be
    hopeless or ill-posed, and where it is sure of another answer the gold may be
    wrong.
    """
    if not opinion.sure:
        return SPLIT
    if not opinion.agrees(verifier):
        return f"the reference answers {opinion.answer!r}, not the gold"
    return ""


def answers_table(opinions: Sequence[ReferenceOpinion]) -> pd.DataFrame:
    """Every answer of the references: what a teacher of the same name has written."""
    import pandas as pd

    columns = ("seed_id", "model", "text", "tokens", "finish", "cost", "logprob")
    rows = [
        (
            one.seed.id,
            name,
            said.text,
            said.tokens,
            said.finish,
            said.cost,
            said.logprob,
        )
        for one in opinions
        for name, said in one.samples
    ]
    return pd.DataFrame(rows, columns=columns)


def opinion_table(opinions: Sequence[ReferenceOpinion], asked_as: str) -> pd.DataFrame:
    """Opinions as a table: what was asked and why, the vote, whether it was sure."""
    import pandas as pd

    rows = [
        {
            "seed_id": one.seed.id,
            "prompt": one.seed.prompt,
            "gold": one.seed.answer,
            "asked_as": asked_as,
            "answer": one.answer,
            "share": one.votes.share,
            "margin": one.votes.margin,
            "entropy": one.votes.entropy,
            "sure": one.sure,
        }
        for one in opinions
    ]
    return pd.DataFrame(rows)
