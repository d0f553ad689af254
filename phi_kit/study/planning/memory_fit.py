"""Does training fit into memory, and what is given up for it.

First what costs only time: smaller micro-batches, activations computed twice. Then
what costs data: long rows. Then what may cost quality: the rank. The model last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from phi_kit.core import step_table
from phi_kit.models import catalog
from phi_kit.models.architecture import model_sizes
from phi_kit.models.loading import product_dtype
from phi_kit.study.config import Unit
from phi_kit.training import memory
from phi_kit.training.row_attention import MAX_PADDING

from .memory_estimate import MemoryTerms, MicroBatch, added, estimate, total

LEAST_ROW, LEAST_RANK = 256, 8  # no fallback goes below (kit default)

TRAINING_STEPS = (step_table.PROBE_SFT, step_table.EXPAND_DOMAINS)


@dataclass(frozen=True)
class TrainingSetup:
    """One way to train: micro-batches and rows of at most so many tokens.

    With `checkpointing` activations are computed again in the backward pass.
    """

    model: str
    micro_tokens: int
    checkpointing: bool
    row_tokens: int
    rank: int

    def downgrades(self, wanted: TrainingSetup) -> list[str]:
        """What this setup lacks of the wanted one, in words."""
        lacks = {
            f"model {wanted.model}: {self.model} instead": self.model != wanted.model,
            f"speed: micro-batches of {self.micro_tokens} tokens, not "
            f"{wanted.micro_tokens}": self.micro_tokens < wanted.micro_tokens,
            "speed: activations are computed twice (a third more work)": (
                self.checkpointing and not wanted.checkpointing
            ),
            f"rows longer than {self.row_tokens} tokens (limit was "
            f"{wanted.row_tokens})": self.row_tokens < wanted.row_tokens,
            f"rank {wanted.rank}: {self.rank} instead": self.rank < wanted.rank,
        }
        return [text for text, lacking in lacks.items() if lacking]


def fallbacks(
    wanted: TrainingSetup, smaller: Sequence[str] = ()
) -> Iterator[TrainingSetup]:
    """The wanted setup, then each with one thing less than the one before.

    Args:
        wanted: how the study would train if memory were no matter.
        smaller: other models, the largest first; each begins with all that is wanted.
    """
    for model in (wanted.model, *smaller):
        setup = replace(wanted, model=model)
        yield setup
        while setup.micro_tokens > setup.row_tokens:
            tokens = max(setup.row_tokens, setup.micro_tokens // 2)
            yield (setup := replace(setup, micro_tokens=tokens))
        if not setup.checkpointing:
            yield (setup := replace(setup, checkpointing=True))
        while setup.row_tokens > LEAST_ROW:
            row = max(LEAST_ROW, setup.row_tokens // 2)
            yield (setup := replace(setup, row_tokens=row, micro_tokens=row))
        while setup.rank > LEAST_RANK:
            yield (setup := replace(setup, rank=max(LEAST_RANK, setup.rank // 2)))


@dataclass(frozen=True)
class MemoryFit:
    """The first setup that fits, else the last one.

    Attributes:
        wanted: how the study would train if memory were no matter.
        setup: how training would go.
        room: bytes there are.
        needed: bytes it takes.
        terms: the same term by term, without the margin.
        settings: parameters that make the study train so.
    """

    wanted: TrainingSetup
    setup: TrainingSetup
    room: float
    needed: float
    terms: MemoryTerms
    settings: dict[str, object]

    @property
    def fits(self) -> bool:
        """Whether it fits at all."""
        return self.needed <= self.room


def fit(
    units: Sequence[Unit], free: float, *, kind: str, loaded: bool = False
) -> MemoryFit:
    """The first setup that fits, by the model's sizes.

    The trainer finds the same by itself as far as time goes; what costs rows or rank
    is for a reader to decide.

    Args:
        units: of the study; those of steps 4 and 6 say how it trains.
        free: bytes of the card, or what is free here.
        kind: `cuda` or `cpu`.
        loaded: the model is in memory already: only what training adds must fit
            into the share of `free` that the trainer uses, and no other model will do.

    Raises:
        ModelError: the model's sizes are not to be had.
    """
    wanted = wanted_setup(units, kind=kind)
    smaller = [] if loaded else smaller_models(wanted.model)
    room = memory.USABLE_SHARE * free if loaded else free
    for setup in fallbacks(wanted, smaller):
        micro = micro_batch(units, setup, free, kind=kind)
        terms = estimate(model_sizes(setup.model), micro)
        needed = (added if loaded else total)(terms, micro)
        if needed <= room:
            break
    sets = _settings(units, setup, wanted)
    return MemoryFit(wanted, setup, room, needed, terms, sets)


def micro_batch(
    units: Sequence[Unit], setup: TrainingSetup, free: float, *, kind: str
) -> MicroBatch:
    """What a setup trains on at once, as this kind of machine does it."""
    micro = MicroBatch(setup.micro_tokens, setup.rank, setup.checkpointing)
    wish = _training_params(units)[0].dequantise
    if kind == "cuda":
        several = setup.micro_tokens > setup.row_tokens
        padding = MAX_PADDING if several else 1.0
        return replace(micro, padding=padding, dequantized=wish == "on")
    products = product_dtype(_training_params(units)[0].compute).itemsize
    micro = micro.on_cpu(dequantized=True, products=products)
    # As the trainer does.
    floats = estimate(model_sizes(setup.model), micro).floats
    dequantized = wish == "on" or (wish == "auto" and 4 * floats < free)
    return replace(micro, dequantized=dequantized)


def wanted_setup(units: Sequence[Unit], *, kind: str) -> TrainingSetup:
    """How the study would train if memory were no matter: its hardest run."""
    training = _training_params(units)
    for params in training:
        params.require_weights()
    row = max(params.max_row_tokens for params in training)
    searches = [getattr(params, "search", None) for params in training]
    ranks = [params.rank for params in training]
    return TrainingSetup(
        model=training[0].model,
        micro_tokens=max(memory.MICRO_BATCH_TOKENS[kind], row),
        checkpointing=any(p.gradient_checkpointing == "on" for p in training),
        row_tokens=row,
        rank=max(ranks + [rank for s in searches if s for rank in s.rank]),
    )


def smaller_models(model: str) -> list[str]:
    """The catalogue's models with fewer weights, the largest first."""
    size = model_sizes(model).weights
    below = [entry for entry in catalog.entries() if entry.parameters < 0.9 * size]
    return [entry.name for entry in sorted(below, key=lambda e: -e.parameters)]


def _training_params(units: Sequence[Unit]) -> list[Any]:
    """Parameters of the steps that train; with `best` step 6 trains as step 4 did."""
    training = [u.params for u in units if u.params.STEP in TRAINING_STEPS]
    return [p for p in training if getattr(p, "recipe", "own") == "own"]


def _settings(
    units: Sequence[Unit], setup: TrainingSetup, wanted: TrainingSetup
) -> dict[str, object]:
    """What has to be set for a setup; micro-batches fit themselves."""
    settings: dict[str, object] = {}
    if setup.model != wanted.model:
        settings["model"] = setup.model
    for unit in units:
        if unit.params.STEP not in TRAINING_STEPS:
            continue
        if setup.checkpointing and not wanted.checkpointing:
            settings[f"{unit.step}.gradient_checkpointing"] = "on"
        if unit.params.max_row_tokens > setup.row_tokens:
            settings[f"{unit.step}.max_row_tokens"] = setup.row_tokens
        if unit.params.rank > setup.rank:
            settings[f"{unit.step}.rank"] = setup.rank
    return settings
