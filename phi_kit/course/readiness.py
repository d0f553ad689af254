"""Is this laptop ready for a workshop? What a student asks the day before."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from phi_kit import steps
from phi_kit.core.errors import PhiKitError
from phi_kit.core.paths import runs_root
from phi_kit.core.replay_mode import REPLAY

from .sample_source import recorded_ledger, recorded_units

LEAST_DISK, LEAST_MEMORY = 1.0, 4.0  # GB; kit defaults


class LaptopCheck(NamedTuple):
    """What one look found.

    Attributes:
        ready: whether that will do.
        words: what was seen, and where it will not do what to do about it.
    """

    ready: bool
    words: str


def look() -> Iterator[LaptopCheck]:
    """Everything a workshop needs, one after another; the last replays a step."""
    checks: tuple[Callable[[], LaptopCheck], ...] = (
        _python, _jupyterlab, _memory, _disk, _recording, _first_step
    )  # fmt: skip
    for check in checks:
        try:
            yield check()
        except (PhiKitError, OSError) as error:
            yield LaptopCheck(False, f"{error}")


def _python() -> LaptopCheck:
    return LaptopCheck(True, f"Python {sys.version.split()[0]}")


def _jupyterlab() -> LaptopCheck:
    there = importlib.util.find_spec("jupyterlab") is not None
    return LaptopCheck(
        there, "JupyterLab" if there else "JupyterLab: pip install jupyterlab"
    )


def _memory() -> LaptopCheck:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError):  # Windows tells nobody that way
        return LaptopCheck(True, "memory: not known here")
    words = f"{total:.0f} GB of memory"
    ready = total >= LEAST_MEMORY
    return LaptopCheck(ready, words if ready else f"{words}: close other programs")


def _disk() -> LaptopCheck:
    runs_root().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(runs_root()).free / 1e9
    words = f"{free:.1f} GB free for results"
    ready = free >= LEAST_DISK
    return LaptopCheck(ready, words if ready else f"{words}: {LEAST_DISK:g} are needed")


def _recording() -> LaptopCheck:
    size = recorded_ledger().stat().st_size / 1e6
    return LaptopCheck(True, f"the recording, {size:.1f} MB")


def _first_step() -> LaptopCheck:
    """Step 1 of the recorded study, in a folder that goes again."""
    began, unit = time.monotonic(), recorded_units()[0]
    before = {name: os.environ.get(name) for name in ("PHI_KIT_RUNS", REPLAY)}
    with TemporaryDirectory() as folder:
        os.environ |= {"PHI_KIT_RUNS": folder, REPLAY: str(recorded_ledger())}
        try:
            with redirect_stdout(io.StringIO()):
                done = steps.load(unit.params.STEP).run(unit.params)
            drawn = Path(done.target, "figures").is_dir()
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                os.environ |= {} if value is None else {name: value}
    seconds = time.monotonic() - began
    return LaptopCheck(drawn, f"{unit.title} from the recording, {seconds:.0f} s")
