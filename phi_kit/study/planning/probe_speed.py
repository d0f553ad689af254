"""How fast this machine is at a study's work: a probe of a minute.

A few of the study's own seeds are asked as step 3 would ask them, and trained on as
step 4 would, with the same code. Nothing of it goes into run folders or the ledger.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phi_kit import domains
from phi_kit.core.endpoint_url import is_endpoint
from phi_kit.core.errors import DataError
from phi_kit.core.rng import label_seed
from phi_kit.data.read_sources import read_source
from phi_kit.data.records import Seed
from phi_kit.domains.base import Domain
from phi_kit.evaluation.ask import row_lengths, training_rows
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.types import SampleRequest, SamplingParams
from phi_kit.models import catalog
from phi_kit.study.config import Unit
from phi_kit.training import memory
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.estimate import Peak, predicted
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks

SEEDS = 32  # of a domain at most
ROUNDS = (2, 10, SEEDS)  # so many have been asked after each
TRIAL = 256  # tokens of an answer that the probe waits for


@dataclass
class Answers:
    """What a domain's seeds were like.

    Attributes:
        asked: seeds whose answers were verified; none where a judge would do it.
        teachable: of them, how many lie in the band.
        samples: drawn.
        tokens: of them together.
        cut: samples that had not ended after the probe's limit of tokens.
        limit: that limit.
        row: tokens of a training row, on average.
    """

    asked: int = 0
    teachable: int = 0
    samples: int = 0
    tokens: int = 0
    cut: int = 0
    limit: int = TRIAL
    row: float = 0.0

    def tokens_each(self, most: int) -> float:
        """Tokens of an answer that may have `most`; one that was cut takes them all."""
        if not self.samples:
            return most
        ended = (self.tokens - self.cut * self.limit) / self.samples
        return min(most, ended + self.cut / self.samples * most)


@dataclass
class Pace:
    """What the probe measured.

    Attributes:
        load: seconds to load the model.
        drawn: tokens of answers per second, prompts being read included.
        trained: tokens of rows per second of an optimiser step.
        setup: seconds of a training run before its first step.
        answers: by domain.
        sampling: bytes of memory at most while sampling.
        peak: predicted bytes of memory while training.
        free: bytes that were free with the model loaded.
        seconds: that the probe took.
    """

    load: float = 0.0
    drawn: float = 0.0
    trained: float = 0.0
    setup: float = 0.0
    sampling: float = 0.0
    seconds: float = 0.0
    free: float = 0.0
    peak: Peak | None = None
    answers: dict[str, Answers] = field(default_factory=dict)


def measure(units: Sequence[Unit], *, seconds: float) -> Pace:
    """Load the study's model, sample and train a little.

    Args:
        units: of the study.
        seconds: for sampling, and again for training; what is under way is
            finished.

    Raises:
        ModelError: the model cannot be loaded, or is an endpoint.
        DataError: the first seeds of a domain cannot be read or trained on.
    """
    with _no_ledger():
        return _measured(units, seconds)


@contextmanager
def _no_ledger() -> Iterator[None]:
    """Past the ledger: what it has would take no time, and a probe is not kept."""
    before = os.environ.get("PHI_KIT_LEDGER")
    os.environ["PHI_KIT_LEDGER"] = "off"
    try:
        yield
    finally:
        del os.environ["PHI_KIT_LEDGER"]
        if before is not None:
            os.environ["PHI_KIT_LEDGER"] = before


def _measured(units: Sequence[Unit], seconds: float) -> Pace:
    began = time.monotonic()
    probe = next(unit.params for unit in units if unit.step == "probe_sft")
    probe.require_weights()
    if not is_endpoint(probe.model):
        catalog.resolve(probe.model)  # fetched once, and not by every step
    loaded = time.monotonic()
    student, pace = completion.load(probe.model), Pace()
    pace.load = time.monotonic() - loaded
    rows: list[TrainingRow] = []
    by_domain = list(_by_domain(units))
    for domain, params, seeds, judged in by_domain:
        pace.answers[domain.name] = _sample(
            student,
            domain,
            params,
            seeds,
            pace,
            seconds=seconds / len(by_domain),
            judged=judged,
        )
        rows += training_rows(student, domain, seeds, [seed.answer for seed in seeds])
    pace.sampling = 1e6 * memory.used_mb()  # on a GPU the peak, which `release` forgets
    memory.release()
    pace.free = memory.free_bytes()
    pace.peak = predicted(student, probe, rows=rows)
    _train(student, rows, probe, pace, seconds=seconds)
    pace.seconds = time.monotonic() - began
    return pace


def _by_domain(units: Sequence[Unit]) -> Iterator[tuple[Domain, Any, list[Seed], bool]]:
    """Every domain, its step 3's parameters, first seeds, whether a judge is asked."""
    found: dict[str, dict[str, Any]] = {}
    for unit in units:
        found.setdefault(unit.domain, {})[unit.step] = unit.params
    found.pop("", None)
    for params in found.values():
        pick, collect = params["pick_domain"], params["collect_seeds"]
        domain = domains.of(pick)
        families = domain.chosen(pick.families)
        seeds = _first(domain, collect, families)
        judged = bool(pick.custom and pick.custom.judge_model)
        yield domain, params["filter_edge"], seeds, judged


def _first(domain: Domain, collect: Any, families: Sequence[Any]) -> list[Seed]:
    """The first good seeds of the sources, in turn."""
    each = -(-SEEDS // len(collect.sources))
    rows = [
        list(
            itertools.islice(
                read_source(
                    source, domain.name, families=families, rng_seed=collect.rng_seed
                ),
                each,
            )
        )
        for source in collect.sources
    ]
    seeds = [seed for seed in itertools.chain(*rows) if seed.prompt and seed.answer]
    if not seeds:
        raise DataError(
            f"none of the first {sum(map(len, rows))} rows has question and answer",
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
    pace: Pace,
    *,
    seconds: float,
    judged: bool,
) -> Answers:
    """Ask a growing number of seeds while there is time; the last round counts.

    The first one warms up and is too small to be as fast as a step is.
    """
    how = SamplingParams(min(params.max_tokens, TRIAL), params.temperature)
    row = float(row_lengths(student, domain, seeds).tokens.mean())
    found = Answers(row=row, limit=how.max_tokens)
    spent, start = 0.0, 0
    for end in ROUNDS:
        if start >= len(seeds) or (start >= ROUNDS[1] and 3 * spent > seconds):
            break
        some, start = seeds[start:end], end
        began = time.monotonic()
        samples = _draw(student, domain, params, some, how)
        for seed, texts in zip(some, samples, strict=True):
            if judged:  # its verdicts cost money, and count against the budget
                continue
            right = sum(domain.verifier(seed, s.text).value == "right" for s in texts)
            found.teachable += params.band_low <= right / len(texts) < params.band_high
            found.asked += 1
        took = time.monotonic() - began
        spent += took
        flat = list(itertools.chain(*samples))
        found.samples += len(flat)
        found.tokens += sum(sample.tokens for sample in flat)
        found.cut += sum(sample.finish == "length" for sample in flat)
        rate = sum(sample.tokens for sample in flat) / max(took, 1e-9)
    # The slowest domain's: a plan should rather be early than late.
    pace.drawn = min(pace.drawn or rate, rate)
    return found


def _draw(
    student: LocalModel,
    domain: Domain,
    params: Any,
    seeds: Sequence[Seed],
    how: SamplingParams,
) -> list[list[Any]]:
    """`samples` of every seed, as `sampling.draw` would ask for them."""
    asked = [
        SampleRequest(
            student.render(domain.instruction, seed.prompt),
            index,
            label_seed(params.rng_seed, "plan", seed.id, index),
        )
        for seed in seeds
        for index in range(params.samples)
    ]
    drawn = dict(student.stream(asked, how))
    flat = [drawn[place] for place in range(len(asked))]
    return [flat[i : i + params.samples] for i in range(0, len(flat), params.samples)]


class _Enough(Exception):  # noqa: N818
    """The probe knows what it wanted to know."""


def _train(
    student: LocalModel,
    rows: Sequence[TrainingRow],
    params: Any,
    pace: Pace,
    *,
    seconds: float,
) -> None:
    """Some optimiser steps by the kit's trainer; the first one warms up."""
    began = time.monotonic()
    told: dict[int, tuple[float, dict[str, Any]]] = {}

    def watch(row: dict[str, Any]) -> None:
        told.setdefault(row["step"], (time.monotonic(), row))  # it may come again
        if time.monotonic() - began > seconds and len(told) > 1:
            raise _Enough

    recipe = params.with_(epochs=1, eval_steps=0, patience=0, report_to=[], weights={})
    with TemporaryDirectory() as folder:
        out = Path(folder, "plan")
        with suppress(_Enough):
            train(
                student,
                list(rows),
                recipe,
                out=out,
                rng_seed=params.rng_seed,
                hooks=RunHooks(watch=watch),
            )
    steps = list(told.values())
    times = [row["tokens"] / max(row["tokens_per_second"], 0.1) for _, row in steps]
    later = range(1, len(steps)) if len(steps) > 1 else range(len(steps))
    tokens = sum(steps[i][1]["tokens"] for i in later)
    pace.trained = tokens / max(sum(times[i] for i in later), 1e-9)
    pace.setup = max(0.0, steps[0][0] - began - times[0])
