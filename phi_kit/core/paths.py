"""Where things lie on disk, the same from any working directory."""

from __future__ import annotations

import os
from pathlib import Path

from .replay_mode import replayed_ledger

# What the kit writes beside run folders; no study and no domain may be called so.
LEDGER = "ledger.sqlite"  # in `runs/`
LEDGER_SUFFIXES = ("", "-wal", "-shm", "-journal")  # what SQLite puts beside it
REPORT = "report.html"  # in `runs/<study>/`
SPENDING_LOG = "spent.jsonl"  # there as well: what endpoints were paid
OPENINGS_LOG = "test_openings.jsonl"  # there as well: who opened the test items
GUESSES = "guesses.jsonl"  # there as well: what readers expected before a step ran
SWEEP_STATE = "sweep.json"  # in `runs/<sweep>/`, beside the variants
TRACKER_LOGS = "tensorboard"  # there as well: what trackers write into files


def project_root() -> Path:
    """The folder that holds `notebooks/` and `params/`.

    Looked for upwards from the working directory, then beside the package (a
    checkout installed with `pip install -e .`); else the working directory.
    """
    here = Path.cwd()
    checkout = Path(__file__).resolve().parents[2]
    for folder in (here, *here.parents, checkout):
        if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
            return folder
    return here


def runs_root() -> Path:
    """The folder of all run folders: `PHI_KIT_RUNS`, else `<project>/runs`.

    A relative one counts from the project's root: a notebook's working directory
    is another than the command line's.
    """
    return resolve_from_root(os.environ.get("PHI_KIT_RUNS") or "runs").resolve()


def spending_folder(study: str) -> Path:
    """Where what a study spends is counted; the variants of a sweep share one count."""
    return runs_root() / study.partition("/")[0]


def ledger_address() -> str:
    """Where the ledger of samples is: a path or a URL; empty where there is none.

    `PHI_KIT_LEDGER`, else `ledger.sqlite` in the folder of run folders; `off` is
    none. In a replay it is the ledger that is replayed.
    """
    named = replayed_ledger() or os.environ.get("PHI_KIT_LEDGER", "").strip()
    if not named:
        return str(runs_root() / LEDGER)
    if named.lower() == "off":
        return ""
    return named if "://" in named else str(resolve_from_root(named))


def ledger_file() -> Path | None:
    """The ledger where it is a file; `None` for a server, or where there is none."""
    named = ledger_address()
    return Path(named).resolve() if named and "://" not in named else None


def resolve_from_root(path: str | Path) -> Path:
    """A path of a study file: relative ones count from the project's root."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else project_root() / path


def display_path(path: str | Path) -> str:
    """A path as printed: relative to the project's root where it lies below."""
    path = Path(path)
    try:
        return str(path.relative_to(project_root()))
    except ValueError:
        return str(path)
