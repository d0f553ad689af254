"""How fast this machine is at a study's work: a probe of a minute.

A few of the study's own seeds are asked as step 3 would ask them, and trained on as
step 4 would, with the same code. Nothing of it goes into run folders or the ledger.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.endpoint_url import is_endpoint
from phi_kit.core.errors import DataError
from phi_kit.data.read_sources import read_source
from phi_kit.data.records import Seed
from phi_kit.domains.base import Domain
from phi_kit.evaluation.ask import ask, item_accuracies, row_lengths, training_rows
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.models import catalog
from phi_kit.study.config import Unit
from phi_kit.training import memory
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks, step_trainer_class
from phi_kit.verifiers.answer_extraction import marked_answer
from phi_kit.verifiers.base import Verdict

SEEDS = 32  # of a domain at most
ROUNDS = (2, 10, SEEDS)  # so many have been asked after each
MAX_TOKENS = 256  # tokens of an answer that the probe waits for


@dataclass
class ProbedDomain:
    """What a domain's seeds were like.

    Attributes:
        asked: seeds whose answers were verified; none where a judge would do it.
        teachable: of them, how many lie in the band.
        samples: drawn.
        tokens: of the samples together.
        truncated: samples that had not ended after `limit` tokens.
        limit: tokens of a sample that the probe waited for.
        rows: tokens of each seed as a training row.
    """

    asked: int = 0
    teachable: int = 0
    samples: int = 0
    tokens: int = 0
    truncated: int = 0
    limit: int = MAX_TOKENS
    rows: list[int] = field(default_factory=list)

    @property
    def row(self) -> float:
        """Tokens of a training row, on average."""
        return sum(self.rows) / len(self.rows)

    def tokens_each(self, most: int) -> float:
        """Tokens of an answer of at most `most`; a truncated one takes them all."""
        if not self.samples:
            return most
        ended = (self.tokens - self.truncated * self.limit) / self.samples
        return min(most, ended + self.truncated / self.samples * most)


@dataclass
class MachineSpeed:
    """What the probe measured.

    Attributes:
        load: seconds to load the model.
        sample_tps: tokens of answers per second, prompts being read included.
        train_tps: tokens of rows per second of an optimiser step.
        setup: seconds of a training run before its first step.
        sampling_bytes: memory in use at most while sampling.
        loaded_bytes: memory in use with the model loaded, before training.
        free_bytes: memory that was free then.
        seconds: that the probe took.
        domains: by name.
    """

    load: float = 0.0
    sample_tps: float = 0.0
    train_tps: float = 0.0
    setup: float = 0.0
    sampling_bytes: float = 0.0
    loaded_bytes: float = 0.0
    free_bytes: float = 0.0
    seconds: float = 0.0
    domains: dict[str, ProbedDomain] = field(default_factory=dict)


def measure(units: Sequence[Unit], *, seconds: float) -> MachineSpeed:
    """Load the study's model, sample and train a little.

    Args:
        units: of the study.
        seconds: for sampling, and again for training; what is under way is
            finished.

    Raises:
        ModelError: the model cannot be loaded, or is an endpoint.
        DataError: the first seeds of a domain cannot be read or trained on.
    """
    began, speed = time.monotonic(), MachineSpeed()
    params = {(unit.domain, unit.step): unit.params for unit in units}
    names = dict.fromkeys(unit.domain for unit in units if unit.domain)
    recipe = next(
        unit.params for unit in units if unit.params.STEP == step_table.PROBE_SFT
    )
    recipe.require_weights()
    with _no_ledger():
        if not is_endpoint(recipe.model):
            catalog.resolve(recipe.model)  # fetched once, and not by every step
        loading = time.monotonic()
        student = completion.load(recipe.model)
        speed.load = time.monotonic() - loading
        rows: list[TrainingRow] = []
        for name in names:
            pick = params[name, "pick_domain"]
            domain = domains.of(pick)
            families = domain.chosen(pick.families)
            seeds = _first_seeds(name, params[name, "collect_seeds"], families)
            rows += training_rows(
                student, domain, seeds, [seed.answer for seed in seeds]
            )
            if judged := bool(pick.custom and pick.custom.judge_model):
                domain = replace(domain, verifier=_not_asked)
            probed, tps = _sample(
                student,
                domain,
                params[name, "filter_edge"],
                seeds,
                seconds=seconds / len(names),
            )
            speed.domains[name] = replace(probed, asked=0) if judged else probed
            # The slowest domain's: a plan should rather be early than late.
            speed.sample_tps = min(speed.sample_tps or tps, tps)
        speed.sampling_bytes = 1e6 * memory.used_mb()  # a GPU's peak until `release`
        _train(student, rows, recipe, speed, seconds=seconds)
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


def _not_asked(*_: Any) -> Verdict:
    """Stands in for a judge, whose verdicts cost money."""
    return Verdict("unknown", "a plan asks no judge")


def _first_seeds(domain: str, collect: Any, families: Sequence[Any]) -> list[Seed]:
    """The first good seeds of the sources, in turn."""
    each = -(-SEEDS // len(collect.sources))
    sources = [
        read_source(
            source,
            domain,
            families=families,
            rng_seed=collect.rng_seed,
            find_answer=marked_answer,
        )
        for source in collect.sources
    ]
    rows = list(chain.from_iterable(islice(source, each) for source in sources))
    seeds = [seed for seed in rows if seed.prompt and seed.answer]
    if not seeds:
        raise DataError(
            f"none of the first {len(rows)} rows has question and answer",
            where=", ".join(source.name for source in collect.sources),
            todo="look at the columns' names in collect_seeds.sources; seeds without "
            "gold cannot be planned for",
        )
    return seeds


def _sample(
    student: LocalModel,
    domain: Domain,
    params: Any,
    seeds: Sequence[Seed],
    *,
    seconds: float,
) -> tuple[ProbedDomain, float]:
    """Ask a growing number of seeds while there is time; the last round's tokens/s.

    The first round warms up and is too small to be as fast as a step is.
    """
    sampling = domain.sampling(params.max_tokens, params.temperature)
    sampling = replace(sampling, max_tokens=min(sampling.max_tokens, MAX_TOKENS))
    probed = ProbedDomain(limit=sampling.max_tokens)
    probed.rows = row_lengths(student, domain, seeds).tokens.tolist()
    spent, tps = 0.0, 0.0
    for end in ROUNDS:
        some = seeds[probed.asked : end]
        if not some or (probed.asked >= ROUNDS[1] and 3 * spent > seconds):
            break
        began = time.monotonic()
        samples = ask(
            student,
            domain,
            some,
            sampling=sampling,
            k=params.samples,
            rng_seed=params.rng_seed,
            label="plan",
        )
        took = time.monotonic() - began
        rates = item_accuracies(samples, some)
        probed.teachable += sum(params.band_low <= r < params.band_high for r in rates)
        probed.asked += len(some)
        probed.samples += len(samples)
        probed.tokens += int(samples.tokens.sum())
        probed.truncated += int((samples.finish == "length").sum())
        spent, tps = spent + took, float(samples.tokens.sum()) / max(took, 1e-9)
    return probed, tps


class EnoughError(Exception):
    """Stops a training run that has shown its speed."""


class StepClock:
    """Times the steps of a training run, and stops it after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.began = seconds, time.monotonic()
        self.steps: dict[int, tuple[int, float]] = {}  # tokens and seconds of each
        self.setup = 0.0  # seconds before the first step

    def watch(self, row: dict[str, Any]) -> None:
        """Take a step's row of the history; one that comes again counts once."""
        passed = time.monotonic() - self.began
        took = row["tokens"] / max(row["tokens_per_second"], 0.1)
        self.setup = self.setup if self.steps else max(0.0, passed - took)
        self.steps.setdefault(row["step"], (row["tokens"], took))
        if passed > self.seconds and len(self.steps) > 1:
            raise EnoughError

    @property
    def tps(self) -> float:
        """Tokens of rows per second, without the first step, which warms up."""
        steps = list(self.steps.values())
        tokens, took = map(sum, zip(*(steps[1:] or steps), strict=True))
        return tokens / max(took, 1e-9)


def _train(
    student: LocalModel,
    rows: Sequence[TrainingRow],
    params: Any,
    speed: MachineSpeed,
    *,
    seconds: float,
) -> None:
    """Some optimiser steps by the kit's trainer, after a look at the memory."""
    step_trainer_class()  # what the Trainer imports counts as in use
    memory.release()
    speed.loaded_bytes, speed.free_bytes = 1e6 * memory.used_mb(), memory.free_bytes()
    config = params.with_(epochs=1, eval_steps=0, patience=0, report_to=[], weights={})
    clock = StepClock(seconds)
    with TemporaryDirectory() as folder, suppress(EnoughError):
        train(
            student,
            rows,
            config,
            out=Path(folder, "plan"),
            rng_seed=params.rng_seed,
            hooks=RunHooks(watch=clock.watch),
        )
    speed.train_tps, speed.setup = clock.tps, clock.setup
