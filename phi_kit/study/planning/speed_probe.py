"""How fast this machine is at a study's work: a probe of a minute.

A few of the study's own seeds are asked as step 3 would ask them, and trained on as
step 4 would, with the same code. Nothing of it goes into run folders or the ledger.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from phi_kit.core import step_table
from phi_kit.core.endpoint_url import is_endpoint
from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.evaluation.ask import ask, item_accuracies, row_lengths, training_rows
from phi_kit.evaluation.few_shot import FamilyExamples, fitted
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.models import catalog
from phi_kit.stats.intervals import wilson_interval
from phi_kit.study.config import Unit
from phi_kit.training import memory
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import train
from phi_kit.training.trainer import step_trainer_class

from .first_seeds import SEEDS, FirstSeeds, first_seeds
from .workload import SeedOutlook

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = (2, 10, SEEDS)  # so many have been asked after each
MAX_TOKENS = 256  # tokens of an answer that the probe waits for
STEPS, STEP_TOKENS = 6, 8192  # optimiser steps, and tokens of one at most
# Share of a teacher's samples that may be trained on: every other one (kit default),
# and at worst none, so that all its tries are spent.
TEACHER_RIGHT = (0.5, 0.0)


@dataclass
class ProbedAnswers:
    """Samples that were drawn in one way.

    Attributes:
        samples: drawn.
        tokens: of the samples together.
        truncated: samples that had not ended after `limit` tokens.
        limit: tokens of a sample that the probe waited for.
        tps: tokens per second, prompts being read included.
    """

    samples: int = 0
    tokens: int = 0
    truncated: int = 0
    limit: int = MAX_TOKENS
    tps: float = 0.0

    def each(self, most: int) -> float:
        """Tokens of an answer of at most `most`; a truncated one takes them all."""
        if not self.samples:
            return most
        ended = (self.tokens - self.truncated * self.limit) / self.samples
        return min(most, ended + self.truncated / self.samples * most)


@dataclass
class ProbedDomain:
    """What a domain's seeds were like.

    Attributes:
        asked: seeds whose answers were verified; none where a judge would do it.
        band: of them, how many lie in the band.
        teachable: of them, how many are by the study's rule.
        untaught: of them, how many have no response before a teacher is asked.
        variants: of each seed, those that only a teacher may answer.
        prompt: tokens of a question.
        rows: tokens of each seed as a training row.
        guessed: rows as long as they may become, for no response is known.
        plain: samples as step 3 draws them.
        shown: samples drawn after worked examples.
        tuned: what an adapter is taken to draw: answers as long as its rows'.
    """

    asked: int = 0
    band: int = 0
    teachable: int = 0
    untaught: int = 0
    variants: float = 0.0
    prompt: float = 0.0
    rows: list[int] = field(default_factory=list)
    guessed: int = 0
    plain: ProbedAnswers = field(default_factory=ProbedAnswers)
    shown: ProbedAnswers = field(default_factory=ProbedAnswers)
    tuned: ProbedAnswers = field(default_factory=ProbedAnswers)

    @property
    def row(self) -> float:
        """Tokens of a training row, on average."""
        return sum(self.rows) / len(self.rows)

    def outlook(self) -> tuple[SeedOutlook, SeedOutlook]:
        """What to expect of all seeds, and the 95 % upper ends.

        The first is the posterior mean under Jeffreys' prior, so that 0 of 3 does not
        mean 0.
        """
        n, counts = self.asked, (self.band, self.teachable, self.untaught)
        likely = [(k + 0.5) / (n + 1) if n else 1.0 for k in counts]
        most = [wilson_interval(k, n)[1] if n else 1.0 for k in counts]
        usual, worst = TEACHER_RIGHT
        learnt = self.tuned.tokens / max(self.tuned.samples, 1)
        same = self.variants, self.prompt, learnt
        return SeedOutlook(*likely, usual, *same), SeedOutlook(*most, worst, *same)


@dataclass
class MachineSpeed:
    """What the probe measured.

    Attributes:
        load: seconds to load the model.
        train_tps: tokens of rows per second of an optimiser step.
        setup: seconds of a training run before its first step.
        sampling_bytes: memory in use at most while sampling.
        loaded_bytes: memory in use with the model loaded, before training.
        free_bytes: memory that was free then.
        seconds: that the probe took.
        engine: that sampled, as a study file names it.
        domains: by name.
    """

    load: float = 0.0
    train_tps: float = 0.0
    setup: float = 0.0
    sampling_bytes: float = 0.0
    loaded_bytes: float = 0.0
    free_bytes: float = 0.0
    seconds: float = 0.0
    engine: str = "own"
    domains: dict[str, ProbedDomain] = field(default_factory=dict)


def without_model(units: Sequence[Unit]) -> dict[str, ProbedDomain]:
    """What is known of the domains before a model is asked: all seeds may count."""
    found = {}
    for name, first in first_seeds(units).items():
        n = len(first.seeds)
        counts = n, n, n, n - len(first.texts)
        found[name] = ProbedDomain(*counts, first.variants, first.prompt)
    return found


def measure(units: Sequence[Unit], *, seconds: float) -> MachineSpeed:
    """Load the study's model, sample and train a little.

    Args:
        units: of the study.
        seconds: for sampling; what is under way is finished.

    Raises:
        ModelError: the model cannot be loaded, or is an endpoint.
        DataError: the first seeds of a domain cannot be read or trained on.
    """
    began, speed = time.monotonic(), MachineSpeed()
    params = {(unit.domain, unit.step): unit.params for unit in units}
    recipe = next(
        unit.params for unit in units if unit.params.STEP == step_table.PROBE_SFT
    )
    recipe.require_weights()
    with _no_ledger():
        if not is_endpoint(recipe.model):
            catalog.resolve(recipe.model)  # fetched once, and not by every step
        loading = time.monotonic()
        student = completion.open_sampler(recipe, workers=1)
        speed.load, speed.engine = time.monotonic() - loading, student.engine.name
        rows: list[TrainingRow] = []
        found = first_seeds(units)
        for name, first in found.items():
            speed.domains[name], some = _probe(
                student,
                first,
                params[name, "filter_edge"],
                shown=_most_examples(params, name, first.domain.style),
                longest=params[name, "probe_sft"].max_row_tokens,
                seconds=seconds / len(found),
            )
            rows += some
        speed.sampling_bytes = 1e6 * memory.used_mb()  # a GPU's peak until `release`
        _train(student, rows, recipe, speed)
    speed.seconds = time.monotonic() - began
    return speed


@contextmanager
def _no_ledger() -> Iterator[None]:
    """Without the ledger: cached samples take no time, and a probe is not kept."""
    before = os.environ.get("PHI_KIT_LEDGER")
    os.environ["PHI_KIT_LEDGER"] = "off"
    try:
        yield
    finally:
        del os.environ["PHI_KIT_LEDGER"]
        if before is not None:
            os.environ["PHI_KIT_LEDGER"] = before


def _most_examples(params: Any, domain: str, style: str) -> int:
    """The most worked examples that a step puts into a prompt."""
    edge, later = params[domain, "filter_edge"], [params[domain, "probe_sft"]]
    later += [params["", "benchmark"]]
    own = edge.own_examples if edge.own_samples and style != "answer" else 0
    return max(own, *(one.few_shot for one in later))


def _probe(
    student: LocalModel,
    first: FirstSeeds,
    params: Any,
    *,
    shown: int,
    longest: int,
    seconds: float,
) -> tuple[ProbedDomain, list[TrainingRow]]:
    """What a domain's seeds are like, and they as rows of at most `longest` tokens."""
    seconds /= 1 + bool(shown)
    plain, samples = _sample(student, first, params, seconds=seconds)
    pairs, unknown = _responses(student, first, params, samples, longest=longest)
    probed = ProbedDomain(variants=first.variants, prompt=first.prompt, plain=plain)
    probed.guessed = len(unknown)
    lengths = row_lengths(student, first.domain, pairs)
    probed.rows = lengths.tokens.tolist()
    learnt = len(lengths), int(lengths.trained.sum())
    probed.tuned = ProbedAnswers(*learnt, tps=plain.tps)
    if not first.judged:
        asked = [seed for seed in first.seeds if seed.id in set(samples.seed_id)]
        names = set(params.source_names(first.domain.style))
        lost = set() if names & {"teacher", "hinted"} else unknown
        low, high = params.band
        gap = params.teachable_rule(first.domain.style) == "gap"
        rates = item_accuracies(samples, asked)
        probed.asked = len(asked)
        probed.band = sum(low <= rate < high for rate in rates)
        probed.teachable = sum(
            seed.id not in lost and (gap or low <= rate) and rate < high
            for seed, rate in zip(asked, rates, strict=True)
        )
        probed.untaught = sum(seed.id in unknown for seed in asked)
    if shown:
        examples = {"": tuple((seed.prompt, text) for seed, text in pairs[:shown])}
        limit = first.domain.sampling(params.max_tokens, 0).max_tokens
        examples = fitted(
            examples, student, first.domain, first.seeds, max_tokens=limit
        )
        told = {"seconds": seconds, "examples": examples}
        probed.shown, _ = _sample(student, first, params, **told)
    return probed, training_rows(student, first.domain, pairs)


def _sample(
    student: LocalModel,
    first: FirstSeeds,
    params: Any,
    *,
    seconds: float,
    examples: FamilyExamples | None = None,
) -> tuple[ProbedAnswers, pd.DataFrame]:
    """Ask a growing number of seeds while there is time.

    The first round warms up and is too small to be as fast as a step is: the pace is
    the last one's.
    """
    import pandas as pd

    sampling = first.domain.sampling(params.max_tokens, params.temperature)
    sampling = replace(sampling, max_tokens=min(sampling.max_tokens, MAX_TOKENS))
    found, drawn, asked, spent = ProbedAnswers(limit=sampling.max_tokens), [], 0, 0.0
    for end in ROUNDS:
        some = first.seeds[asked:end]
        if not some or (asked >= ROUNDS[1] and 3 * spent > seconds):
            break
        began = time.monotonic()
        samples = ask(
            student,
            first.domain,
            some,
            sampling=sampling,
            k=params.samples,
            rng_seed=params.rng_seed,
            label="plan",
            examples=examples,
        )
        took = time.monotonic() - began
        drawn.append(samples)
        found.samples += len(samples)
        found.tokens += int(samples.tokens.sum())
        found.truncated += int((samples.finish == "length").sum())
        found.tps = float(samples.tokens.sum()) / max(took, 1e-9)
        asked, spent = asked + len(some), spent + took
    return found, pd.concat(drawn)


def _responses(
    student: LocalModel,
    first: FirstSeeds,
    params: Any,
    samples: pd.DataFrame,
    *,
    longest: int,
) -> tuple[list[tuple[Seed, str]], set[str]]:
    """Each seed with a response, and the seeds of which none is known.

    Those get a text as long as a response may be, in a row of at most `longest` tokens.
    """
    domain, texts = first.domain, dict(first.texts)
    if "student" in first.sources:
        right = samples[(samples.verdict == "right") & (samples.finish == "stop")]
        texts = dict(zip(right.seed_id, right.text, strict=True)) | texts
    most = domain.sampling(params.max_tokens, params.temperature).max_tokens
    most = params.response_tokens or most
    pairs = [(seed, texts.get(seed.id, "")) for seed in first.seeds]
    lengths = row_lengths(student, domain, pairs)
    unknown: set[str] = set()
    for place, (row, (seed, text)) in enumerate(
        zip(lengths.itertuples(), pairs, strict=True)
    ):
        too_long = row.trained > most and domain.style != "answer"
        if too_long or not text:
            unknown.add(seed.id)
            room = min(most, longest - row.tokens + row.trained)
            pairs[place] = seed, _filler(student, room, seed.id)
    return pairs, unknown


def _filler(student: LocalModel, tokens: int, name: str) -> str:
    """So many tokens, the end of the turn included; no two parts of it alike."""
    digits = rng(0, "filler", name).integers(10, size=max(tokens, 2))
    text = " ".join(map(str, digits))
    ids = student.tokenizer(text, add_special_tokens=False).input_ids
    return student.tokenizer.decode(ids[: max(1, tokens - 1)]).strip()


def _train(
    student: LocalModel,
    rows: Sequence[TrainingRow],
    params: Any,
    speed: MachineSpeed,
) -> None:
    """Some optimiser steps by the kit's trainer, after a look at the memory.

    The first one warms up.
    """
    student.engine.close()
    step_trainer_class()  # what the Trainer imports counts as in use
    memory.release()
    speed.loaded_bytes, speed.free_bytes = 1e6 * memory.used_mb(), memory.free_bytes()
    longest = max(max(probed.rows) for probed in speed.domains.values())
    batch = min(params.batch, max(1, STEP_TOKENS // longest))
    some = rows[:: max(1, len(rows) // (STEPS * batch))]  # of all domains
    config = params.with_(
        epochs=1, batch=batch, eval_steps=0, patience=0, report_to=[], weights={}
    )
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        done = train(
            student, some, config, out=Path(folder, "plan"), rng_seed=params.rng_seed
        )
    tokens = [row["tokens"] for row in done.history]
    took = [row["tokens"] / max(row["tokens_per_second"], 0.1) for row in done.history]
    speed.setup = time.monotonic() - began - sum(took)
    speed.train_tps = sum(tokens[1:] or tokens) / sum(took[1:] or took)
