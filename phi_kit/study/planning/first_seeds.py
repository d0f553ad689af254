"""A domain's first seeds, and the responses they have before any model is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, takewhile
from typing import Any

from phi_kit import domains
from phi_kit.core.errors import DataError
from phi_kit.data.generators import Family
from phi_kit.data.read_sources import read_source
from phi_kit.data.records import Seed
from phi_kit.domains.base import Domain
from phi_kit.evaluation.ask import BYTES_PER_TOKEN
from phi_kit.responses.from_gold import GoldSource
from phi_kit.responses.from_source import SolutionSource
from phi_kit.responses.from_worked import WorkedSource
from phi_kit.responses.response_config import ResponseConfig
from phi_kit.steps import synthesize
from phi_kit.steps.collect_seeds import source_families
from phi_kit.study.config import Unit
from phi_kit.verifiers.answer_extraction import marked_answer
from phi_kit.verifiers.base import Verdict

SEEDS = 32  # of a domain, and at most one more for each further source
DEFAULT_LIMIT = 1_000  # of a source without one, to weigh it beside others


@dataclass(frozen=True)
class FirstSeeds:
    """A domain's first seeds.

    Attributes:
        domain: in the study's style.
        seeds: those with question and answer.
        sources: of responses that the teacher comes after, if there is one.
        texts: right responses of those sources that need no model, by seed.
        variants: of each seed in step 5, those that no such source answers; none
            without a teacher, who would.
        judged: a model is the verifier; it is not asked, and all counts as right.
    """

    domain: Domain
    seeds: Sequence[Seed]
    sources: Sequence[str]
    texts: dict[str, str] = field(default_factory=dict)
    variants: float = 0.0
    judged: bool = False

    @property
    def prompt(self) -> float:
        """Tokens of a question as it is asked; 4 bytes each, for any tokenizer."""
        asked = [self.domain.instruction + seed.prompt for seed in self.seeds]
        return sum(len(text.encode()) for text in asked) / BYTES_PER_TOKEN / len(asked)


def first_seeds(units: Sequence[Unit]) -> dict[str, FirstSeeds]:
    """The first seeds of every domain of a study.

    Raises:
        DataError: those of a domain cannot be read.
    """
    params = {(unit.domain, unit.step): unit.params for unit in units}
    found = {}
    for name in dict.fromkeys(unit.domain for unit in units if unit.domain):
        pick, edge = params[name, "pick_domain"], params[name, "filter_edge"]
        domain = domains.of(pick)
        families = domain.chosen(pick.families)
        seeds = _read(domain, params[name, "collect_seeds"], families)
        if judged := bool(pick.custom and pick.custom.judge_model):
            domain = replace(domain, verifier=_not_asked)
        names = edge.source_names(domain.style)
        before = tuple(takewhile(lambda source: source != "teacher", names))
        texts, variants = _texts(edge, domain, seeds, before), 0.0
        if "teacher" in names:
            made = synthesize.variants(domain, seeds, params[name, "synthesize"])
            rewrites = _once(variant for variant, _ in made)
            answered = _texts(edge, domain, rewrites, before)
            variants = (len(rewrites) - len(answered)) / len(seeds)
        found[name] = FirstSeeds(domain, seeds, before, texts, variants, judged)
    return found


def _read(domain: Domain, collect: Any, families: list[Family]) -> list[Seed]:
    """The first good seeds of the sources: of each as large a part as its limit is."""
    limits = [source.limit or DEFAULT_LIMIT for source in collect.sources]
    rows = list(
        chain.from_iterable(
            islice(
                read_source(
                    source,
                    domain.name,
                    families=source_families(source, domain, families),
                    rng_seed=collect.rng_seed,
                    find_answer=marked_answer,
                ),
                -(-SEEDS * limit // sum(limits)),
            )
            for source, limit in zip(collect.sources, limits, strict=True)
        )
    )
    seeds = _once(seed for seed in rows if seed.prompt and seed.answer)
    if not seeds:
        raise DataError(
            f"none of the first {len(rows)} rows has question and answer",
            where=", ".join(source.name for source in collect.sources),
            todo="look at the columns' names in collect_seeds.sources; seeds without "
            "gold cannot be planned for",
        )
    return seeds


def _once(seeds: Iterable[Seed]) -> list[Seed]:
    """The seeds, each once, as step 2 keeps them."""
    return list({seed.id: seed for seed in seeds}.values())


def _texts(
    config: ResponseConfig,
    domain: Domain,
    seeds: Sequence[Seed],
    sources: Sequence[str],
) -> dict[str, str]:
    """What these sources answer without a model, where it is right, by seed."""
    free = {
        "source": SolutionSource(domain.style),
        "worked": WorkedSource(domain.style, config.worked_form),
        "answer": GoldSource(domain.style),
    }
    found: dict[str, str] = {}
    for name in filter(free.__contains__, sources):
        lacking = {seed.id: seed for seed in seeds if seed.id not in found}
        for response in free[name].offer(list(lacking.values())):
            if domain.verifier(lacking[response.seed_id], response.text).right:
                found[response.seed_id] = response.text
    return found


def _not_asked(*_: Any) -> Verdict:
    """Stands in for a judge, whose verdicts cost money."""
    return Verdict("right", "a plan asks no judge")
