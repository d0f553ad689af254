"""Step 1: what is the domain, and where does the base model stand in it?

Reads nothing. Writes the domain card, the base model's accuracy by
difficulty on the dev items, and the sealed dev and test sets.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import pandas as pd
from pydantic import Field, model_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.answer_style import Style
from phi_kit.core.errors import DataError, StudyError, did_you_mean
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data import sealed_splits, splits
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed, to_frame
from phi_kit.domains.base import Domain, Family
from phi_kit.domains.custom import Definition
from phi_kit.evaluation import guessing_baseline
from phi_kit.evaluation.ask import (
    ask,
    item_accuracies,
    truncated_share,
    unanswered_counts,
)
from phi_kit.inference import completion
from phi_kit.plots import difficulty
from phi_kit.stats.intervals import accuracy
from phi_kit.synthesis import known_transforms

TEMPLATE_ITEMS = 500  # per family: enough to see each wording of its template twice

MIN_HELD_OUT = 4  # held-out items below which no interval says anything
ENOUGH_ROWS = 60  # rows of which both splits have FEWEST in 998 of 1,000 files


class Params(StepParams):
    """Which domain, how many held-out items, and how the base model is asked."""

    STEP: ClassVar[Step] = step_table.PICK_DOMAIN
    SEALED: ClassVar[tuple[str, ...]] = ("dev",)
    AT_TOP: ClassVar[tuple[str, ...]] = ("style",)

    domain: str = "math"
    custom: Definition | None = None  # the domain itself, if the study defines it
    style: Style = "steps"  # in which form is answered, by every model
    instruction: str = ""  # in place of the style's
    families: list[str] = Field([])
    dev_items: int = Field(100, ge=4)
    test_items: int = Field(100, ge=4)
    samples: int = Field(2, ge=1)
    max_tokens: int | None = Field(None, ge=1)  # none: the limit of the style
    temperature: float = Field(0.6, ge=0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = domains.names()
        if self.custom is None and self.domain not in names:
            near = did_you_mean(self.domain, names)
            raise ValueError(f"there is no domain '{self.domain}'{near}")
        if self.custom is not None and self.domain in names:
            raise ValueError(f"'{self.domain}' is one of the kit's; rename yours")
        if self.custom is not None:
            try:
                known_transforms.require_known(self.custom.transforms)
            except StudyError as error:
                raise ValueError(f"custom: transforms: {error.what}") from None
        return self

    def items_per_split(self) -> dict[str, int]:
        """How many items each split should have."""
        return {"dev": self.dev_items, "test": self.test_items}

    def domain_card(self, domain: str) -> dict[str, Any]:
        """What this step was given: it is the one that writes the card."""
        return {
            "custom": self.custom,
            "instruction": self.instruction,
            "style": self.style,
        }

    def external_digests(self) -> dict[str, str]:
        """The model's weights, and the content of a study's own files."""
        files = self.custom.digests() if self.custom else {}
        return {"model": completion.model_fingerprint(self.model), **files}


@reuse_finished
def run(params: Params) -> StepRun:
    """Seal the held-out sets and measure the base model on dev."""
    with open_run(params) as run:
        domain = domains.of(params)
        families = domain.chosen(params.families)
        held_out = held_out_items(domain, params)
        _require_enough(held_out, domain, families)
        for name, part in held_out.items():
            sealed_splits.seal_split(run, name, part)
        sealed_splits.seal_split(
            run, sealed_splits.DRAWS, template_items(domain, params)
        )
        dev = held_out["dev"]
        guesser = guessing_baseline.choose_guesses(
            domain,
            families,
            held_out=itertools.chain(*held_out.values()),
            rng_seed=params.rng_seed,
        )
        samples = ask(
            completion.open_sampler(params),
            domain,
            dev,
            sampling=domain.sampling(params.max_tokens, params.temperature),
            k=params.samples,
            rng_seed=params.rng_seed,
            label="base on dev",
        )
        scores = accuracy_by_family(
            samples, dev, guesser.per_item(dev), rng_seed=params.rng_seed
        )
        lenient = item_accuracies(samples, dev, reading="lenient")
        overall = accuracy(item_accuracies(samples, dev), rng_seed=params.rng_seed)
        run.save_rows(samples, "samples")
        run.save_rows(to_frame(dev)[["id", "family", "level"]])
        run.figure = run.save_figure(difficulty.draw(scores), "base_by_difficulty")
        run.table = scores
        run.result = {
            "title": domain.title,
            "description": domain.description,
            "answer_kind": domain.answer_kind,
            "instruction": domain.instruction,
            "style": domain.style,
            "scores": scores.to_dict("records"),
            "overall": overall.as_dict(),
            "guessing": guesser.card(dev, rng_seed=params.rng_seed),
            "lenient": float(pd.Series(lenient).mean()),
            "truncated": truncated_share(samples),
            "unanswered": unanswered_counts(samples),
            # Later steps read the definition from this card: it is a result as well.
            "defined": params.custom and params.custom.model_dump(mode="json"),
            "sealed": {name: len(part) for name, part in held_out.items()},
            "held_out": splits.family_counts(held_out, families),
            "ran_out": splits.shortfall(
                held_out, families, wanted=params.items_per_split()
            ),
        }
    return run


def held_out_items(domain: Domain, params: Params) -> splits.HeldOut:
    """The dev and test items: the families in equal parts, no prompt twice."""
    return splits.draw_held_out(
        domain.name,
        domain.chosen(params.families),
        wanted=params.items_per_split(),
        rng_seed=params.rng_seed,
    )


def _require_enough(
    parts: splits.HeldOut, domain: Domain, families: Sequence[Family]
) -> None:
    """Stop before anything is asked if too few items can be held out.

    Raises:
        DataError: dev or test has fewer than four items.
    """
    few = {name: len(part) for name, part in parts.items() if len(part) < MIN_HELD_OUT}
    if not few:
        return
    rows = sum(family.size() for family in families if family.size)
    raise DataError(
        f"too few items to hold out for {domain.name}: "
        + ", ".join(f"{n} for {name}" for name, n in few.items())
        + (f", of {rows} rows" if rows else ""),
        todo=f"give {ENOUGH_ROWS} rows or more, about a fifth each is held out; and "
        * (rows < ENOUGH_ROWS)
        + "look whether the answers are in the form that its verifier "
        f"({domain.checker or domain.answer_kind}) reads: a row whose answer it "
        "cannot read is never held out",
    )


def template_items(domain: Domain, params: Params) -> list[Seed]:
    """Items that are never held out: they show the seal what is template text.

    A study's own files are left out: their rows are few, and any may be held out.
    """
    seeds: list[Seed] = []
    for family in domain.chosen(params.families):
        if not (family.stream and params.custom):
            # As they come: wording is what they show, not what is answered.
            stream = generate_items(
                domain.name,
                replace(family, balance=0),
                rng_seed=params.rng_seed,
                split="draws",
            )
            seeds += itertools.islice(stream, TEMPLATE_ITEMS)
    return seeds


def accuracy_by_family(
    samples: pd.DataFrame, dev: list[Seed], guess: Sequence[float], *, rng_seed: int
) -> pd.DataFrame:
    """Accuracy per family with its 95 % interval, the easiest first.

    `lenient` is the accuracy when the answer may stand anywhere in a response.

    Args:
        samples: of the base model, with their verdicts.
        dev: the items, in order.
        guess: the accuracy of guessing on each of them; `guess` in the table.
        rng_seed: of the intervals.
    """
    items = pd.DataFrame(
        {
            "right": item_accuracies(samples, dev),
            "lenient": item_accuracies(samples, dev, reading="lenient"),
            "guess": guess,
        }
    )
    groups = items.groupby([[s.level for s in dev], [s.family for s in dev]])
    return pd.DataFrame(
        {
            "level": level,
            "family": family,
            **accuracy(part.right, rng_seed=rng_seed).as_dict(),
            "lenient": float(part.lenient.mean()),
            "guess": float(part.guess.mean()),
        }
        for (level, family), part in groups
    )
