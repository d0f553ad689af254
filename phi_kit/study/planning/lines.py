"""A plan in words: a table of the steps, what fits, and what was given up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phi_kit.core.number_format import (
    NOTHING,
    aligned_table,
    count,
    duration,
    percent,
)
from phi_kit.study.runner import title

from .fit import Fitting
from .plan import Prices, Step, share
from .probe_speed import Pace


def table(steps: Sequence[Step], pace: Pace, prices: Prices) -> Iterator[str]:
    """The plan of a study on this machine.

    Args:
        steps: of the whole study.
        pace: what the probe measured.
        prices: columns without a price are left out.
    """
    head = ["step", "time", "at most", "answer tokens", "trained tokens", "memory"]
    head += ["kWh"] * bool(prices.watts) + ["money"] * bool(_priced(prices))
    left = [step for step in steps if step.done is None]
    rows = [_row(step, prices) for step in steps]
    rows.append(
        [
            "all that is left" if len(left) < len(steps) else "all",
            duration(sum(step.seconds for step in left)),
            duration(sum(step.most for step in left)),
            count(sum(step.drawn for step in left)),
            count(sum(step.trained for step in left)),
            _gb(max((step.memory for step in left), default=0)),
            *_costs(sum(step.seconds for step in left), prices),
        ]
    )
    yield from aligned_table([head, *rows])
    yield ""
    yield from _probe(pace)


def _row(step: Step, prices: Prices) -> list[str]:
    if step.done is not None:
        return [title(step.unit), f"done ({duration(step.done)})"]
    return [
        title(step.unit),
        duration(step.seconds),
        duration(step.most),
        count(step.drawn) if step.drawn else NOTHING,
        count(step.trained) if step.trained else NOTHING,
        _gb(step.memory) if step.memory else NOTHING,
        *_costs(step.seconds, prices),
    ]


def _priced(prices: Prices) -> bool:
    return bool(prices.per_hour or (prices.watts and prices.per_kwh))


def _costs(time: float, prices: Prices) -> list[str]:
    energy = [f"{prices.energy(time):.3f}"] * bool(prices.watts)
    return energy + [f"{prices.money(time):.2f}"] * _priced(prices)


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


def _probe(pace: Pace) -> Iterator[str]:
    yield (
        f"From a probe of {duration(pace.seconds)}: {pace.drawn:.0f} tokens/s sampled, "
        f"{pace.trained:.0f} tokens/s trained."
    )
    for name, one in pace.answers.items():
        likely, most = share(one)
        seeds = (
            f"{one.teachable} of {one.asked} seeds teachable "
            f"({percent(likely)} expected, at most {percent(most)})"
        )
        if not one.asked:
            seeds = "a judge decides, who is not asked here: all seeds count"
        yield (
            f"  {name}: {seeds}, {one.tokens / max(one.samples, 1):.1f} tokens an "
            f"answer, {one.row:.0f} a row"
        )
        if one.cut:
            yield (
                f"    {one.cut} of {one.samples} answers were longer than the probe "
                "waited for; they count with all the tokens they may have"
            )
    yield (
        "'at most' takes the upper end of the share that is teachable. Until step 2 "
        "has run, seeds count as if it dropped none. Not counted: "
        "what the ledger has already, and what other models are asked."
    )


def fitting(found: Fitting) -> Iterator[str]:
    """Whether training fits, what it takes, and what is given up for it."""
    rung, wish = found.rung, found.wish
    how = "computed twice" if rung.checkpointing else "kept"
    yield (
        f"training {rung.model}: rank {rung.rank}, rows of at most {rung.row_tokens} "
        f"tokens, micro-batches of {rung.micro_tokens}, activations {how}"
    )
    if found.terms:
        terms = vars(found.terms)
        rows = [[f"  {said}", _gb(terms[name])] for name, said in TERMS.items()]
        rows.append(["  a margin", _gb(found.needed - found.terms.tensors)])
        rows.append(["  in all", _gb(found.needed)])
        yield from aligned_table(rows)
        yield "  a formula, not a measurement: see phi_kit/training/footprint.py"
    if not found.fits:
        yield f"does NOT fit into {_gb(found.room)}, nor does any rung of the ladder"
        return
    yield f"fits into {_gb(found.room)}; given up for it: " + (
        "; ".join(rung.given_up(wish)) or "nothing"
    )
    if found.settings:
        sets = [f"--set {name}={value}" for name, value in found.settings.items()]
        yield f"  phi-kit run … {' '.join(sets)}"


TERMS = {
    "weights": "weights (NF4; embeddings as they are)",
    "adapter": "adapter, gradients, optimiser",
    "activations": "activations",
    "head": "logits of a block",
    "unpacked": "one layer as floats",
}
