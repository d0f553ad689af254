"""Names that become folders: of studies in `runs/`, of domains in a study's folder.

What stands beside them there is the kit's own: the ledger, the report, the steps'
folders. A name has to be free of all that on every machine, also where `Demo` and
`demo` are one folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .paths import (
    GUESSES,
    LEDGER,
    LEDGER_SUFFIXES,
    OPENINGS_LOG,
    REPORT,
    SPENDING_LOG,
    SWEEP_STATE,
    TRACKER_LOGS,
    ledger_file,
    runs_root,
)

# In `runs/<study>/`, beside the steps.
BESIDE_DOMAINS = (
    REPORT,
    SPENDING_LOG,
    OPENINGS_LOG,
    GUESSES,
    SWEEP_STATE,
    TRACKER_LOGS,
)
MAX_NAME = 64  # a folder's name has 255 bytes, and some hold several of these
MAX_JOINED = 200  # of all domains' names with a + between: an adapter's folder
_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_STEP = re.compile(r"\d\d_")  # `06_expand_domains` lies beside the domains
_STUDY_FILE = (".yaml", ".yml")  # `phi-kit report NAME` would read it as a file
# Windows opens a device whatever the folder; also with an ending, `nul.txt`.
_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)
}
_BASE_MODEL = "base"  # stands among the adapters of step 6, which are named by domains


def study_fault(name: Any) -> str:
    """Why a study cannot be called so; empty if it can.

    The sentence has no subject: `'a b' can hold letters, digits, …`.
    """
    fault = _shape_fault(name)
    if fault:
        return fault
    if name.lower().endswith(_STUDY_FILE):
        return "reads like a study file; leave the ending out"
    if name.casefold() in {taken.casefold() for taken in beside_studies()}:
        return f"is the kit's own file in {runs_root().name}/; choose another name"
    return ""


def place_fault(name: Any) -> str:
    """Why run folders cannot lie under such a name; empty if they can.

    It is a study's, or `SWEEP/VARIANT`. As in `study_fault`.
    """
    parts = name.split("/") if isinstance(name, str) else [name]
    if len(parts) > 2:
        return study_fault(name)
    return next(filter(None, map(study_fault, parts)), "")


def domain_fault(name: Any) -> str:
    """Why a domain cannot be called so; empty if it can. As in `study_fault`."""
    fault = _shape_fault(name)
    if fault:
        return fault
    if _STEP.match(name):
        return "begins like the folder of a step; choose another name"
    if name.casefold() in {taken.casefold() for taken in BESIDE_DOMAINS}:
        return "is the kit's own in a study's folder; choose another name"
    if name.casefold() == _BASE_MODEL:
        return "is what step 6 calls the model without an adapter; choose another name"
    return ""


def joint_domains_fault(names: Sequence[str]) -> str:
    """Why domains cannot be in one study; empty if they can."""
    for name, other in _same_folder(names):
        return f"'{name}' and '{other}' are one folder where case does not count"
    length = len("+".join(names))
    if length > MAX_JOINED:
        return (
            f"have {length} characters together, and the merged adapter's folder is "
            f"named by all of them: up to {MAX_JOINED}"
        )
    return ""


def beside_studies() -> list[str]:
    """The kit's own files in the folder of run folders: the ledger's.

    The usual one is among them even where another is named: the next run may not.
    """
    ledger = ledger_file()
    named = [ledger.name] if ledger and ledger.parent == runs_root() else []
    return [
        f"{file}{suffix}" for file in (LEDGER, *named) for suffix in LEDGER_SUFFIXES
    ]


def _same_folder(names: Iterable[str]) -> list[tuple[str, str]]:
    first: dict[str, str] = {}
    pairs = []
    for name in names:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            pairs.append((other, name))
    return pairs


def name_on_disk(folder: Path) -> str:
    """The name under which a disk that ignores case already has this folder."""
    if not folder.exists():
        return ""
    present = [path.name for path in folder.parent.iterdir()]
    if folder.name in present:
        return ""
    alike = [name for name in present if name.casefold() == folder.name.casefold()]
    return alike[0] if alike else ""


def _shape_fault(name: Any) -> str:
    if not isinstance(name, str):
        return "is no text; put it in quotes"
    if not name:
        return "is empty; a name has letters and digits"
    if len(name) > MAX_NAME:
        return f"is {len(name):,} characters long; up to {MAX_NAME} are a folder's name"
    if not _SHAPE.fullmatch(name):
        return (
            "cannot be a folder's name; use letters, digits, '.', '_' and '-', "
            "and begin with a letter or digit"
        )
    if name.endswith("."):
        return "ends with a dot, which some machines leave out of a folder's name"
    if name.partition(".")[0].casefold() in _DEVICES:
        return "is a device's name on Windows; choose another name"
    return ""
