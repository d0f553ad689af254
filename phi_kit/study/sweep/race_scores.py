"""What variants came to on held-out dev items, as a race compares them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from phi_kit.core.finished_run import RunFolder
from phi_kit.stats.comparison import Gain, paired_gain
from phi_kit.stats.intervals import Accuracy, accuracy
from phi_kit.stats.racing import Measurement
from phi_kit.study.side_by_side import RNG_SEED, ItemScores

from .race_plan import RaceSettings

BASE = "base"  # stands among the arms of step 4 and the adapters of step 6


class HeldOut(NamedTuple):
    """An accuracy on dev items, and the gain over base on the same ones."""

    accuracy: Accuracy
    gain: Gain


def measurement(
    folders: Sequence[RunFolder], race: RaceSettings, *, base: bool = False
) -> Measurement | None:
    """What one variant came to, all its domains together.

    Args:
        folders: of the step that decides the race, one per domain or one.
        race: says what is compared.
        base: the untrained model's answers instead.

    Returns:
        `None` where a domain has nothing to compare: the arm had no rows.

    Raises:
        RunError: a file is not as its step wrote it.
    """
    read = _merged if race.at == "expand_domains" else _probed
    parts = [read(folder, race, base=base) for folder in folders]
    if not all(parts):
        return None
    return Measurement(
        [
            {item: found for part in together for item, found in part.items()}
            for together in zip(*parts, strict=False)
        ]
    )


def _probed(
    folder: RunFolder, race: RaceSettings, *, base: bool
) -> list[dict[str, float]]:
    samples = folder.table("samples")
    scores = ItemScores.of(samples[samples.arm == (BASE if base else race.arm)])
    if not scores.ids:
        return []
    domain = folder.manifest["params"]["domain"]
    names = [f"{domain}/{item}" for item in scores.ids]
    return [dict(zip(names, map(float, run), strict=True)) for run in scores.runs]


def _merged(
    folder: RunFolder, _: RaceSettings, *, base: bool
) -> list[dict[str, float]]:
    table = folder.table("items").dropna()
    own = table[table.adapter == (BASE if base else folder.result["final"])]
    names = own.domain + "/" + own.seed_id
    found = dict(zip(names, map(float, own.accuracy), strict=True))
    return [found] if found else []


def item_means(measured: Iterable[Measurement]) -> dict[str, float]:
    """Each item's mean over all runs of several rounds."""
    together: dict[str, list[float]] = defaultdict(list)
    for run in (run for one in measured for run in one.runs):
        for item, found in run.items():
            together[item].append(found)
    return {item: sum(each) / len(each) for item, each in together.items()}


def held_out(own: dict[str, float], base: dict[str, float]) -> HeldOut:
    """An accuracy and its gain over base, by the items that both were asked."""
    common = [item for item in own if item in base]
    after, before = [own[item] for item in common], [base[item] for item in common]
    return HeldOut(
        accuracy(after, rng_seed=RNG_SEED),
        paired_gain(before, after, rng_seed=RNG_SEED),
    )
