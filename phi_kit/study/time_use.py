"""Where the time of a study went: sampling, training, and everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from phi_kit.core.finished_run import RunFolder
from phi_kit.core.number_format import duration, percent
from phi_kit.core.step_run import NOTEBOOK
from phi_kit.core.time_spent import SAMPLING, TRAINING

from .notebook.notebook_times import NotebookTimes, notebook_times

_SECOND = timedelta(seconds=1)  # a manifest's time is in whole ones


@dataclass(frozen=True)
class TimeUse:
    """Seconds that finished steps took, and what for.

    `total` is by the clock. `kernels`, the start of their kernels, is a part of
    what was neither sampling nor training.
    """

    total: float
    sampling: float
    training: float
    kernels: float

    @property
    def elsewhere(self) -> float:
        """The share of the time that was neither sampling nor training."""
        return max(0.0, 1 - (self.sampling + self.training) / self.total)

    def __str__(self) -> str:
        return (
            f"sampling took {duration(self.sampling)}, training "
            f"{duration(self.training)}, everything else {percent(self.elsewhere)} "
            f"of the time ({duration(self.kernels)} to start kernels)"
        )


def time_use(
    folders: Sequence[RunFolder], *, total: float | None = None
) -> TimeUse | None:
    """Where the time of finished steps went.

    Args:
        folders: of the steps.
        total: seconds they took, if that is known; else their notebooks', or of
            a step that was run by hand what it took itself.

    Returns:
        `None` if there is none, or one does not say: it is of an earlier version,
        or a replay.
    """
    manifests = [folder.manifest for folder in folders]
    spent = [manifest.get("spent") for manifest in manifests]
    if (
        not folders
        or None in spent
        or any(manifest.get("replayed") for manifest in manifests)
    ):
        return None
    times = [_times(folder) for folder in folders]
    if total is None:
        total = sum(
            noted.seconds if noted else float(manifest.get("seconds") or 0)
            for noted, manifest in zip(times, manifests, strict=True)
        )
    if not total:
        return None
    # What the lesson drew is a part of its notebook's time alone.
    before = [
        manifest.get("spent_before") or {}
        for noted, manifest in zip(times, manifests, strict=True)
        if noted
    ]
    return TimeUse(
        total,
        sampling=sum(part.get(SAMPLING, 0.0) for part in spent + before),
        training=sum(part.get(TRAINING, 0.0) for part in spent + before),
        kernels=sum(noted.kernel_start for noted in times if noted),
    )


def _times(folder: RunFolder) -> NotebookTimes | None:
    """Times of the notebook that wrote this folder, if one did."""
    noted = notebook_times(folder.path / NOTEBOOK)
    try:
        text = str(folder.manifest.get("finished"))
        finished = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    # It may be of another attempt than the manifest: one that failed, say.
    wrote_it = noted and noted.began - _SECOND <= finished <= noted.ended + _SECOND
    return noted if wrote_it else None
