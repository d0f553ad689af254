"""Every finished step in the folder of run folders, by its fingerprint.

There is no index that could lie: the manifests themselves are read, of each only the
first bytes. What is found is checked whole before it is used.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from phi_kit.core.finished_run import MANIFEST, RunFolder
from phi_kit.core.paths import runs_root
from phi_kit.core.step_state import unusable

_LEVELS = 4  # runs/, studies and sweeps, domains and variants, domains of variants
_STEP = re.compile(r"\d\d_")
_HEAD = 400  # bytes of a manifest; the fingerprint is its second entry
_FINGERPRINT = re.compile(rb'"fingerprint": "([0-9a-f]{16})"')
# A folder's time of change is as coarse as a disk's clock: two seconds on FAT.
_COARSE_NS = 2_000_000_000
_TIMES_AS_LONG = 20  # as a look everywhere takes, until the next one


class _Listing(NamedTuple):
    """What a folder held.

    Attributes:
        changed: when it last did, in nanoseconds.
        others: the folders in it that are no finished steps.
    """

    changed: int
    others: list[Path]


class FinishedResults:
    """Finished run folders of all studies and sweeps.

    Args:
        own: name of the study or sweep whose results come by `add` from here on.
    """

    def __init__(self, own: str = "") -> None:
        self._own = runs_root() / own
        self._folders: dict[str, dict[Path, None]] = defaultdict(dict)
        self._listed: dict[Path, _Listing] = {}  # folders in which nobody is at work
        self._everywhere_at = 0.0
        self.look_again()

    def look_again(self) -> None:
        """Read what has changed on the disk: other processes finish steps, too.

        A run takes a lock in its study's folder and lets it go, both of which change
        that folder. Where nobody was, only what is run by hand can be new, and there
        are thousands of folders in a big sweep: they are looked into now and then.
        """
        began = time.monotonic()
        everywhere = began >= self._everywhere_at
        folders = self._look_into(runs_root())
        if not everywhere:
            folders = [one for one in folders if self._somebody_was_in(one)]
        for _ in range(_LEVELS - 1):
            folders = [inner for one in folders for inner in self._look_into(one)]
        if everywhere:
            now = time.monotonic()
            self._everywhere_at = now + _TIMES_AS_LONG * (now - began)

    def _somebody_was_in(self, folder: Path) -> bool:
        """Whether a run goes on in a study's folder, or has begun or ended there."""
        if folder == self._own:
            return False
        before = self._listed.get(folder)
        try:
            return before is None or before.changed != folder.stat().st_mtime_ns
        except OSError:
            return True

    def _look_into(self, folder: Path) -> list[Path]:
        """Note the finished steps in a folder; the other folders in it.

        When a step has finished its lock goes, which changes the folder once more.
        """
        try:
            changed = folder.stat().st_mtime_ns
            before = self._listed.get(folder)
            if before and before.changed == changed:
                return before.others
            entries = sorted(folder.iterdir())
        except OSError:  # gone meanwhile, or for nobody to read
            return []
        others = []
        for entry in entries:
            if _STEP.match(entry.name) and (mark := _fingerprint_in(entry / MANIFEST)):
                self.add(mark, entry)
            elif entry.is_dir() and not entry.name.startswith("."):
                others.append(entry)
        at_work = any(entry.name.startswith(".") for entry in entries)
        if not at_work and changed < time.time_ns() - _COARSE_NS:
            self._listed[folder] = _Listing(changed, others)
        return others

    def add(self, mark: str, folder: Path) -> None:
        """Note a finished step."""
        self._folders[mark][folder] = None

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
    except OSError:  # none yet, or for nobody to read
        return ""
    return found[1].decode() if found else ""
