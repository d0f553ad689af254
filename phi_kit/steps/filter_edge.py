"""Step 3: which seeds are at the edge of the model's ability?

Reads the clean seeds. Writes the student's samples with their verdicts, a
pass rate with its interval and a tier for every seed, and the random control
that the teachable rows are compared with.
"""

from __future__ import annotations

from typing import ClassVar, Self

import pandas as pd
from pydantic import Field, field_validator, model_validator

from phi_kit import domains
from phi_kit.core.errors import DataError
from phi_kit.core.flow import Flow
from phi_kit.core.params import StepParams
from phi_kit.core.runs import StepRun, open_run
from phi_kit.data.records import Seed, from_frame
from phi_kit.domains.asking import ask, lengths, truncated
from phi_kit.metrics.intervals import wilson
from phi_kit.models import catalog, loading
from phi_kit.models.sampling import Sampling
from phi_kit.plots import passrates
from phi_kit.train.arms import matched_control


class Params(StepParams):
    """Samples per seed and the edges of the teachable band.

    The report filters for seeds at the edge of the base model's ability but
    publishes no threshold; the band is the kit's own choice.
    """

    STEP: ClassVar[str] = "03_filter_edge"
    NEEDS: ClassVar[tuple[str, ...]] = ("01_pick_domain", "02_collect_seeds")

    domain: str = "math"
    samples: int = Field(4, ge=2)
    max_tokens: int = Field(16, ge=1)
    temperature: float = Field(0.6, gt=0)
    band_low: float = Field(0.1, ge=0, le=1)
    band_high: float = Field(0.75, ge=0, le=1)

    _known = field_validator("domain")(domains.known)

    @model_validator(mode="after")
    def _band(self) -> Self:
        if self.band_low >= self.band_high:
            raise ValueError("band_low should be below band_high")
        return self

    def outside(self) -> dict[str, str]:
        """The model's weights."""
        return {"model": catalog.named(self.model)}


def tier(pass_rate: float, params: Params) -> str:
    """`easy`, `teachable` or, for what the student never solves, `frontier`."""
    if pass_rate >= params.band_high:
        return "easy"
    return "teachable" if pass_rate >= params.band_low else "frontier"


def rate(samples: pd.DataFrame, seeds: list[Seed], params: Params) -> pd.DataFrame:
    """Per seed: right, n, pass rate with its Wilson interval, tier."""
    right = (samples.verdict == "right").groupby(samples.seed_id).sum()
    rows = []
    for seed in seeds:
        low, high = wilson(int(right[seed.id]), params.samples)
        share = right[seed.id] / params.samples
        rows.append(
            {
                "right": int(right[seed.id]),
                "n": params.samples,
                "pass_rate": share,
                "low": low,
                "high": high,
                "tier": tier(share, params),
            }
        )
    return pd.DataFrame(rows)


def run(params: Params) -> StepRun:
    """Sample every seed, rate it, sort it into a tier, draw the control."""
    with open_run(params) as run:
        domain = domains.of(params)
        table = run.read("02_collect_seeds").table()
        seeds = from_frame(table)
        student = loading.sampler(params)
        samples = ask(
            student,
            domain,
            seeds,
            sampling=Sampling(params.max_tokens, params.temperature),
            k=params.samples,
            rng_seed=params.rng_seed,
            label="student on seeds",
        )
        rows = pd.concat([table, rate(samples, seeds, params)], axis=1)
        rows = rows.assign(tokens=lengths(student, domain, seeds))
        chosen = rows.index[rows.tier == "teachable"].tolist()
        if not chosen:
            raise DataError(
                f"no seed is teachable: {rows.tier.value_counts().to_dict()}",
                todo="collect easier or harder seeds (look at step 1's figure), "
                "or draw more samples",
            )
        control = matched_control(rows.tokens, chosen, rng_seed=params.rng_seed)
        rows = rows.assign(control=rows.index.isin(control))
        run.save_rows(rows)
        run.save_rows(samples, "samples")
        run.flow = Flow()
        run.flow.take(None if name == "teachable" else name for name in rows.tier)
        band = (params.band_low, params.band_high)
        run.figure = run.save_figure(passrates.draw(rows, band=band), "pass_rates")
        run.table = rows
        run.result = {
            "tiers": rows.tier.value_counts().to_dict(),
            "samples": params.samples,
            "truncated": truncated(samples),
            "band": band,
            "teachable": _size(rows[rows.tier == "teachable"]),
            "control": _size(rows[rows.control]),
        }
    return run


def _size(rows: pd.DataFrame) -> dict[str, int]:
    return {"rows": len(rows), "tokens": int(rows.tokens.sum())}
