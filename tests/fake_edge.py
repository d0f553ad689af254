"""Step 3 on made-up seeds and models of known ability: what its tests share."""

from typing import ClassVar

from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data.records import Seed, to_frame
from phi_kit.data.sealed_splits import SPLITS, seal_split
from phi_kit.inference import completion
from phi_kit.steps import filter_edge as step


class Card(StepParams):
    STEP: ClassVar[Step] = Step(1, "pick_domain")
    domain: str = "math"
    style: str = "answer"


class Collected(Card):
    STEP: ClassVar[Step] = Step(2, "collect_seeds")


def seed(number, answer=None, *, made=True, **more):
    """Item N, whose answer is N; no family of the kit's, so that nothing solves it."""
    source = "reasoning-gym/chain_sum" if made else "mine.csv"
    answer = str(number) if answer is None else answer
    return Seed("math", f"Item {number}?", answer, family="f", source=source, **more)


def collect(seeds, style="answer", *, sealed=()):
    """Steps 1 and 2 with these seeds and held-out items."""
    for params in (Card(study="s", style=style), Collected(study="s", style=style)):
        with open_run(params) as run:
            run.save_rows(to_frame(seeds))
            for split in SPLITS:
                seal_split(run, split, sealed)


def models(monkeypatch, **named):
    """What `completion.load` hands out by name; `student` is the step's model."""
    monkeypatch.setattr(completion, "load", lambda name, **_: named[name])


def filtered(**more):
    """Step 3."""
    params = step.Params(**{"study": "s", "model": "student", **more})
    return step.run(params)


def table(name="rows"):
    """A table that it wrote."""
    return RunFolder.of("s", step_table.FILTER_EDGE, domain="math").table(name)
