"""Does training fit, and what is given up for it: the first rung of the ladder.

By the model's sizes for a card that is elsewhere, by what was measured on this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from phi_kit.models import catalog
from phi_kit.models.architecture import model_sizes
from phi_kit.models.loading import device
from phi_kit.study.config import Unit
from phi_kit.training import ladder, memory
from phi_kit.training.estimate import Peak
from phi_kit.training.footprint import BF16, Memory, Micro, footprint
from phi_kit.training.ladder import Rung


@dataclass(frozen=True)
class Fitting:
    """The first rung of the ladder that fits, and what it cost.

    Attributes:
        wish: how the study would train if memory were no matter.
        rung: how training would go.
        fits: whether it fits at all.
        room: bytes there are.
        needed: bytes it takes.
        terms: the same term by term, where the formula was asked.
        settings: parameters that make the study train so.
    """

    wish: Rung
    rung: Rung
    fits: bool
    room: float
    needed: float
    terms: Memory | None = None
    settings: dict[str, object] = field(default_factory=dict)


def by_formula(units: Sequence[Unit], room: float, *, kind: str = "cuda") -> Fitting:
    """The first rung that fits, by the model's sizes; nothing is loaded.

    Args:
        units: of the study; those of steps 4 and 6 say how it trains.
        room: bytes of the card, or what is free here.
        kind: `cuda` or `cpu`.

    Raises:
        ModelError: the model's sizes are not to be had.
    """

    def terms(rung: Rung) -> Memory:
        return footprint(model_sizes(rung.model), _micro(rung, kind))

    wish = wished(units, kind=kind)
    rung, fits = ladder.first(
        wish, room, lambda rung: terms(rung).total, smaller(wish.model)
    )
    found = terms(rung)
    sets = _settings(units, rung, wish)
    return Fitting(wish, rung, fits, room, found.total, found, sets)


def by_probe(units: Sequence[Unit], peak: Peak, free: float) -> Fitting:
    """The first rung that fits here, by what the model itself was measured to take.

    The trainer finds the same by itself as far as time goes; what costs rows or rank
    is for a reader to decide.

    Args:
        units: of the study.
        peak: predicted for its recipe.
        free: bytes that are free with the model loaded.
    """
    wish = wished(units, kind=device())
    recipe = next(unit.params for unit in units if unit.step == "probe_sft")
    room = memory.USABLE_SHARE * free
    rung, fits = ladder.first(wish, room, lambda rung: peak.of(rung, recipe))
    sets = _settings(units, rung, wish)
    return Fitting(wish, rung, fits, room, peak.of(rung, recipe), settings=sets)


def _settings(units: Sequence[Unit], rung: Rung, wish: Rung) -> dict[str, object]:
    """What has to be set for a rung; micro-batches fit themselves."""
    found: dict[str, object] = {}
    if rung.model != wish.model:
        found["model"] = rung.model
    for unit in units:
        if unit.step not in ("probe_sft", "expand_domains"):
            continue
        params = unit.params
        if rung.checkpointing and not wish.checkpointing:
            found[f"{unit.step}.gradient_checkpointing"] = "on"
        if params.max_row_tokens > rung.row_tokens:
            found[f"{unit.step}.max_row_tokens"] = rung.row_tokens
        if params.rank > rung.rank:
            found[f"{unit.step}.rank"] = rung.rank
    return found


def wished(units: Sequence[Unit], *, kind: str) -> Rung:
    """How the study would train if memory were no matter: its hardest run."""
    training = [u.params for u in units if u.step in ("probe_sft", "expand_domains")]
    # With `best` step 6 trains as the probes did.
    training = [p for p in training if getattr(p, "recipe", "own") == "own"]
    for params in training:
        params.require_weights()
    row = max(params.max_row_tokens for params in training)
    return Rung(
        model=training[0].model,
        micro_tokens=max(memory.MICRO_BATCH_TOKENS[kind], row),
        checkpointing=any(p.gradient_checkpointing == "on" for p in training),
        row_tokens=row,
        rank=max(rank for params in training for rank in _ranks(params)),
    )


def _ranks(params: Any) -> list[int]:
    """A step's own, and those that its search tries."""
    search = getattr(params, "search", None)
    return [params.rank, *(search.rank if search else [])]


def _micro(rung: Rung, kind: str) -> Micro:
    plain = Micro(rung.micro_tokens, rung.rank, rung.checkpointing)
    if kind == "cuda":
        return plain
    return replace(plain, moments=8, other=2 * BF16, number=2 * BF16)


def smaller(model: str) -> list[str]:
    """The catalogue's models with fewer weights, the largest first."""
    size = model_sizes(model).weights
    below = [entry for entry in catalog.entries() if entry.parameters < 0.9 * size]
    below.sort(key=lambda entry: -entry.parameters)
    return [entry.name for entry in below]
