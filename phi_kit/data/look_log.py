"""How often a study has looked at its test items: the book of openings.

Test items are for reporting once. Whoever changes something after a look and looks
again has chosen by them, so each look with other settings is counted, beside the
study's run folders; a run that was killed and carries on looks no second time.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from phi_kit.core.errors import disk_errors
from phi_kit.core.files import write_atomic
from phi_kit.core.params import StepParams
from phi_kit.core.paths import OPENINGS_LOG, runs_root
from phi_kit.core.step_state import fingerprint


def book_opening(params: StepParams, rule: dict[str, Any]) -> list[dict[str, Any]]:
    """Note that a step is about to open the test items; all openings so far.

    Args:
        params: of the step.
        rule: that decides, as it was locked.

    Returns:
        One entry for each different look, in order: `when`, `look` (what the
        outcome depends on), `rule`.
    """
    path = runs_root() / params.study / OPENINGS_LOG
    seen = _read(path)
    look = fingerprint(params)
    if any(entry["look"] == look for entry in seen):
        return seen
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = {"when": now, "look": look, "rule": rule}
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [*seen, entry]  # whole again, without what a full disk cut off
        write_atomic(path, "".join(json.dumps(line) + "\n" for line in lines))
    return [*seen, entry]


def _read(path: Path) -> list[dict[str, Any]]:
    """The entries of a book; a last line that a full disk cut off is none."""
    found = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
