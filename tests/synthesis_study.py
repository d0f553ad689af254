"""Steps 1, 3 and 4 of a study whose seeds are word problems, for tests of step 5."""

import json
import re
from typing import ClassVar

import pandas as pd
from fake_models import Fake

from phi_kit.core import step_table
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data import sealed_splits
from phi_kit.data.records import Seed, to_frame
from phi_kit.inference import completion
from phi_kit.responses.response_config import ResponseConfig
from phi_kit.steps.synthesize import Params

THINGS = [
    *("pens", "cups", "maps", "nuts", "pins", "tins", "bags", "hats", "keys", "rugs"),
    *("bells", "boots", "coins", "forks", "lamps", "masks", "nails", "pears"),
]
SEEDS = [
    Seed(
        "math",
        f"On Monday a shop sells {n} {thing}, on Tuesday {n + 2} more of them. "
        f"How many {thing} does it sell on both days together?",
        str(2 * n + 2),
        source="mine.csv",
        licence="MIT",
    )
    for n, thing in enumerate(THINGS, 11)
]
# A held-out item that a teacher writes down instead of the question it was given.
LEAKED = Seed(
    "math",
    "A ferry carries 23 cars on its first trip and 25 cars on its second trip across "
    "the wide bay. How many cars does it carry on both of the trips together?",
    "48",
)


def taught(seed):
    a, b = (int(n) for n in re.findall(r"\d+", seed.prompt)[:2])
    return f"There are two days.\n{a} + {b} = {a + b}\nAnswer: {a + b}"


def worded(seed):
    a, b = re.findall(r"\d+", seed.prompt)[:2]
    thing = seed.prompt.split()[6].rstrip(",")
    return (
        f"{a} {thing} leave a shop on Monday and {b} on the day after. What is the sum "
        f"of {thing} sold?"
    )


def as_json(question):
    return json.dumps({"question": question})


class Picked(StepParams):
    STEP: ClassVar[Step] = step_table.PICK_DOMAIN
    domain: str = "math"
    style: str = "steps"


class Filtered(ResponseConfig, Picked):
    STEP: ClassVar[Step] = Step(3, "filter_edge")
    max_tokens: int = 64
    temperature: float = 0.6


class Probed(Picked):
    STEP: ClassVar[Step] = Step(4, "probe_sft")


def study(monkeypatch, says, *, seeds, student=None, **config):
    """Steps 1, 3 and 4 with these seeds, and a teacher."""
    named = {
        "student": student or Fake(None, "student"),
        "strong": Fake(says, "strong"),
    }
    monkeypatch.setattr(completion, "load", lambda name, **_: named[name])
    monkeypatch.setattr(Params, "external_digests", lambda self: {})
    with open_run(Picked(study="s")) as run:
        for split in ("dev", "test", sealed_splits.DRAWS):
            held = [LEAKED] if split == "test" else []
            sealed_splits.seal_split(run, split, held)
    config = {"teacher": "strong", "responses": ["teacher"], **config}
    with open_run(Filtered(study="s", **config)) as run:
        rows = to_frame(seeds).assign(tier="teachable", place="inside", responses=1)
        run.save_rows(rows.assign(own_responses=0))
        asked = ["seed_id", "sample", "text", "tokens", "finish", "verdict", "lenient"]
        run.save_rows(
            pd.DataFrame([], columns=[*asked, "reason", "extracted"]), "samples"
        )
        kept = pd.DataFrame(
            {"seed_id": [s.id for s in seeds], "kept": True, "own": False}
        )
        kept["text"] = [taught(s) for s in seeds]
        run.save_rows(kept.assign(rank=1), "responses")
        run.result = {"responses": {"teacher": None}}
    with open_run(Probed(study="s")) as run:
        run.save_rows(pd.DataFrame({"arm": ["base", "teachable"], "accuracy": 0.1}))
