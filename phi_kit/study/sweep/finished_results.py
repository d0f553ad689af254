"""Every finished step in the folder of run folders, by its fingerprint.

There is no index that could lie: the manifests themselves are read, of each only the
first bytes. What is found is checked whole before it is used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from phi_kit.core.finished_run import MANIFEST, RunFolder
from phi_kit.core.paths import runs_root
from phi_kit.core.step_state import unusable

# A study's own step, one of a domain (or of a variant), one of a variant's domain.
_PLACES = ("*/{}", "*/*/{}", "*/*/*/{}")
_STEP = "[0-9][0-9]_*"
_HEAD = 400  # bytes of a manifest; the fingerprint is its second entry
_FINGERPRINT = re.compile(rb'"fingerprint": "([0-9a-f]{16})"')


class FinishedResults:
    """Finished run folders of all studies and sweeps."""

    def __init__(self) -> None:
        self._folders: dict[str, list[Path]] = {}
        self.look_again()

    def look_again(self) -> None:
        """Read the disk anew: other processes finish steps, too."""
        self._folders = defaultdict(list)
        for place in _PLACES:
            pattern = f"{place.format(_STEP)}/{MANIFEST}"
            for manifest in sorted(runs_root().glob(pattern)):
                if mark := _fingerprint_in(manifest):
                    self._folders[mark].append(manifest.parent)

    def add(self, mark: str, folder: Path) -> None:
        """Note a step that has just finished."""
        self._folders[mark].insert(0, folder)

    def find(self, mark: str) -> RunFolder | None:
        """A whole result of this fingerprint, if there is one."""
        for path in self._folders.get(mark, ()):
            folder = RunFolder(path)
            if not folder.finished or unusable(folder):
                continue
            if folder.manifest["fingerprint"] == mark:
                return folder
        return None


def _fingerprint_in(manifest: Path) -> str:
    """What a manifest says in its first bytes; empty if they say nothing."""
    try:
        with manifest.open("rb") as file:
            found = _FINGERPRINT.search(file.read(_HEAD))
    except OSError:  # gone meanwhile, or for nobody to read
        return ""
    return found[1].decode() if found else ""
