"""A process that collects responses from a teacher behind a URL, and may be killed.

Usage: asking.py URL OUT. The ledger and the study's folder are where the environment
says; the table is written to OUT.
"""

import json
import sys
from pathlib import Path

from phi_kit import domains
from phi_kit.core.params import EndpointSettings
from phi_kit.data.records import Seed
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.types import SamplingParams
from phi_kit.responses.checks import ResponseChecks
from phi_kit.responses.collect import collect
from phi_kit.responses.from_teacher import TeacherPlan, TeacherSource

SEEDS = [
    Seed("math", f"A box holds {n} pens and {n + 1} more. How many?", str(2 * n + 1))
    for n in range(2, 32)
]
STEPS = domains.get("math").in_style("steps")


def collected(url, *, plan=None, seeds=SEEDS, folder=None):
    """The responses of a teacher at this URL, and what was spent."""
    settings = EndpointSettings(price_in=1, price_out=2, concurrency=4)
    far = Endpoint(url, settings, folder, first_wait=0.01)
    checks = ResponseChecks(STEPS, far)
    plan = plan or TeacherPlan(2, 2, 4, None, SamplingParams(64))
    source = TeacherSource(far.name, lambda: far, STEPS, plan, 1, checks.usable)
    return collect([source], seeds, checks), source.spending


if __name__ == "__main__":
    url, out = sys.argv[1:]
    found, spending = collected(url)
    found.table.to_parquet(out)
    Path(f"{out}.json").write_text(json.dumps(spending.as_dict()))
