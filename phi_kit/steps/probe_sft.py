"""Step 4: does training on teachable seeds help, and more than random ones?

Reads the tiers and the sealed dev set. Writes one adapter per arm, its
losses, and the held-out accuracy of base, random and teachable.
"""

from __future__ import annotations

from typing import ClassVar

import pandas as pd
from pydantic import field_validator

from phi_kit import domains
from phi_kit.core.params import StepParams
from phi_kit.core.runs import StepRun, open_run
from phi_kit.data.records import from_frame
from phi_kit.data.seal import Seal, unseal
from phi_kit.domains.asking import as_asked, ask, per_item, rows_of, truncated
from phi_kit.metrics.intervals import gain, score
from phi_kit.models import catalog, loading
from phi_kit.plots import arms as plot
from phi_kit.train.card import measured
from phi_kit.train.qlora import Recipe, Trained, train

ARMS = ("base", "random", "teachable")


class Params(Recipe, StepParams):
    """The recipe of the probe. Dev is asked exactly as in step 1."""

    STEP: ClassVar[str] = "04_probe_sft"
    NEEDS: ClassVar[tuple[str, ...]] = ("01_pick_domain", "03_filter_edge")
    SEALED: ClassVar[tuple[str, ...]] = ("dev",)

    domain: str = "math"

    _known = field_validator("domain")(domains.known)

    def outside(self) -> dict[str, str]:
        """The model's weights."""
        return {"model": catalog.identity(catalog.resolve(self.model))}


def rows_of_arm(pool: pd.DataFrame, arm: str) -> pd.DataFrame:
    """The pool's rows that an arm trains on."""
    return pool[pool.tier == "teachable"] if arm == "teachable" else pool[pool.control]


def run(params: Params) -> StepRun:
    """Train each arm, ask it the dev items, compare with base item by item."""
    with open_run(params) as run:
        domain = domains.of(params)
        card = run.read("01_pick_domain")
        dev, seal = unseal(card, "dev", params=params), Seal.of([card])
        pool = run.read("03_filter_edge").table()
        student = loading.load(params.model)
        answers = {"base": card.table("samples")}
        trained: dict[str, Trained] = {}
        for arm in ARMS[1:]:
            seeds = from_frame(rows_of_arm(pool, arm))
            rows = rows_of(student, domain, seeds, [seed.answer for seed in seeds])
            folder = run.folder(f"adapters/{arm}")
            trained[arm] = train(
                student,
                rows,
                params,
                out=folder,
                rng_seed=params.rng_seed,
                sealed=seal.hit,
            )
            with student.adapter(folder) as tuned:
                answers[arm] = ask(
                    tuned, domain, dev, **as_asked(card.manifest["params"]), label=arm
                )
        items = {arm: per_item(rows, dev) for arm, rows in answers.items()}
        table = compare(items, answers, trained, rng_seed=params.rng_seed)
        for row in table[table.arm.isin(trained)].itertuples():
            measured(run.folder(f"adapters/{row.arm}"), f"dev of {params.domain}", row)
        losses = {arm: done.losses for arm, done in trained.items()}
        run.save_rows(table)
        run.save_rows(
            pd.concat([rows.assign(arm=a) for a, rows in answers.items()]), "samples"
        )
        run.figure = run.save_figure(plot.draw(table, losses), "gain_per_arm")
        run.table = table
        edge = gain(items["random"], items["teachable"], rng_seed=params.rng_seed)
        run.result = {
            "arms": table.astype(object).where(table.notna(), None).to_dict("records"),
            "teachable_vs_random": edge.as_dict(),
            "losses": losses,
            "gate": {arm: done.gate for arm, done in trained.items()},
            "recipe": {name: getattr(params, name) for name in Recipe.model_fields},
        }
    return run


def compare(
    items: dict[str, list[float]],
    answers: dict[str, pd.DataFrame],
    trained: dict[str, Trained],
    *,
    rng_seed: int,
) -> pd.DataFrame:
    """One row per arm: accuracy, paired gain over base, cost, truncation."""
    rows = []
    for arm, values in items.items():
        row = {"arm": arm, **score(values, rng_seed=rng_seed).as_dict()}
        if arm in trained:
            over = gain(items["base"], values, rng_seed=rng_seed)
            row |= {"rows": trained[arm].rows, "tokens": trained[arm].tokens}
            row |= {"delta": over.delta, "delta_low": over.low}
            row |= {"delta_high": over.high, "verdict": over.verdict}
        rows.append(row | {"truncated": truncated(answers[arm])})
    return pd.DataFrame(rows)
