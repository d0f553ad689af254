"""Sources that were withdrawn from a study: their rows are dropped at sight.

Which they are stands in the domain's run folder, so that nothing that a study file
says brings them back, and a domain that holds nothing of a source stays as it is.
"""

from __future__ import annotations

import json
from pathlib import Path

from phi_kit.core.errors import RunError
from phi_kit.core.files import write_atomic
from phi_kit.core.paths import display_path, runs_root

REASON = "source withdrawn"
_FILE = "withdrawn.json"


def _file(study: str, domain: str) -> Path:
    return runs_root() / study / domain / _FILE


def withdrawn_sources(study: str, domain: str) -> tuple[str, ...]:
    """The sources that a domain of a study may not use, in alphabetical order.

    Raises:
        RunError: the file that says so cannot be read.
    """
    path = _file(study, domain)
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise RunError(
            f"which sources are withdrawn cannot be read: {error}",
            where=display_path(path),
            todo="mend the file: a JSON list of names",
        ) from error
    return tuple(sorted(map(str, names)))


def withdraw_source(study: str, domain: str, source: str) -> None:
    """Note that a domain of a study may no longer use a source."""
    names = sorted({*withdrawn_sources(study, domain), source})
    path = _file(study, domain)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(names, indent=1, ensure_ascii=False) + "\n")
