"""Guesses that a reader makes before a step runs, kept to be set beside its result.

They lie in `runs/<study>/guesses.jsonl`, a line each, and so does the result that one
was compared with; nobody's name does. A step never reads them, so a guess can change no
result; a run without a reader makes none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from phi_kit.core.errors import StudyError, disk_errors
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.paths import GUESSES, runs_root
from phi_kit.core.step_state import run_folder_path
from phi_kit.stats.intervals import Accuracy


def keep_guess(params: StepParams, about: str, guess: float | None) -> str:
    """Keep a guess, and whether the result could be seen already.

    Args:
        params: of the notebook's step.
        about: what is guessed; the same words find it again.
        guess: a number, or `None` for no guess, which is fine.

    Returns:
        What became of it, in a sentence.

    Raises:
        StudyError: it is no number.
    """
    if guess is None:
        return "No guess yet: set `guess` above. Nothing stops without one."
    if isinstance(guess, bool) or not isinstance(guess, int | float):
        raise StudyError(
            f"a guess is a number (it is {guess!r})", todo="write it as guess = 0.4"
        )
    seen = RunFolder(run_folder_path(params)).finished
    _add(params, {"about": about, "guess": float(guess), "seen": seen})
    late = " The result was there already, so it counts as a late one." * seen
    return f"Kept: {about}, {guess:g}.{late}"


def compare_guess(params: StepParams, about: str, found: Accuracy) -> str:
    """A kept guess beside what was found, which is kept as well.

    Args:
        params: of the notebook's step.
        about: what was guessed.
        found: the result with its interval.

    Returns:
        Guess, result and interval, in a sentence or two.
    """
    result = f"{about}: {found.accuracy:.2f} ({found.low:.2f} to {found.high:.2f})"
    mine = _place(params) | {"about": about}
    kept = [
        line
        for line in kept_lines(_file(params))
        if mine.items() <= line.items() and "guess" in line
    ]
    early = [line for line in kept if not line["seen"]]
    if not kept:
        return f"{result}. You made no guess."
    _add(params, {"about": about, "found": found.as_dict()})
    # The last thought before the result; a guess made after it is said to be one.
    last = (early or kept)[-1]
    guess = last["guess"]
    if found.low <= guess <= found.high:
        held = "inside the interval: these items cannot tell you from the truth"
    else:
        side = "above" if guess > found.high else "below"
        far = min(abs(guess - found.low), abs(guess - found.high))
        held = f"{side} the interval, by {far:.2f}"
    late = "" if early else " You had seen the result when you made it."
    return f"{result}. You guessed {guess:.2f}, {held}.{late}"


def kept_lines(path: Path) -> Iterator[dict[str, Any]]:
    """What a file of guesses holds; none if there is no such file.

    A line that is not whole, as a crash leaves it, is passed over.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            kept = json.loads(line)
        except ValueError:
            continue
        if isinstance(kept, dict):
            yield kept


def _place(params: StepParams) -> dict[str, Any]:
    domain = getattr(params, "domain", "")
    return {"step": params.STEP.folder, "domain": domain}


def _file(params: StepParams) -> Path:
    return runs_root() / params.study / GUESSES


def _add(params: StepParams, what: Mapping[str, Any]) -> None:
    """Keep a line, unless it repeats the last one of its kind on the same question."""
    path, line = _file(params), _place(params) | what
    question = _place(params) | {"about": what["about"]}
    before = [
        old
        for old in kept_lines(path)
        if question.items() <= old.items() and old.keys() == line.keys()
    ]
    if before and before[-1] == line:
        return
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
