"""The race of a sweep: what may begin, who falls out, the winner measured again.

The best of many looks better than it is: it was chosen by these very items. So the
winner's study is run once more with other random numbers, which gives it other dev
items, other seeds and other training runs, and both figures are shown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from phi_kit.core.errors import PhiKitError
from phi_kit.core.files import digest_json
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.folder_names import MAX_NAME
from phi_kit.core.number_format import (
    count,
    duration,
    percent,
    percent_span,
    plural,
    points,
    points_span,
)
from phi_kit.stats.comparison import MIN_ITEMS
from phi_kit.stats.racing import Comparison, Measurement, RaceResult, run_race
from phi_kit.study import config
from phi_kit.study.yaml_lines import read

from .race_plan import Contestant, RaceSettings, contestants, is_seed
from .race_scores import HeldOut, held_out, item_means, measurement
from .sweep_config import Sweep, units_up_to
from .sweep_file import as_set
from .sweep_variant import Variant
from .work_plan import WorkItem

_MARK = 6  # hex digits of what a fresh measurement sets


class SweepRace:
    """Where the race of a sweep stands.

    Args:
        sweep: one with a race.
        items: its notebooks; those of the winner's fresh measurement come in later.
    """

    def __init__(self, sweep: Sweep, items: Mapping[str, WorkItem]):
        self.sweep, self.items = sweep, items
        self.settings = sweep.race or RaceSettings()
        self.entries = {one.name: one for one in contestants(sweep.variants)}
        self._round = {
            variant.name: number
            for entry in self.entries.values()
            for number, variant in enumerate(entry.rounds)
        }
        looks = max(self._round.values()) + 1
        self.result = RaceResult(looks)
        self.again: Variant | None = None
        self._known: dict[str, Measurement | None] = {}  # by variant
        self._told = 0  # entries of all contestants, the last time
        self._keys: dict[str, list[str]] = defaultdict(list)  # of their notebooks
        for key, item in items.items():
            for name in item.units:
                self._keys[name].append(key)

    def may_run(self, key: str, names: Collection[str]) -> bool:
        """Whether a notebook's turn has come: a look may make it needless.

        Args:
            key: of the notebook.
            names: of the variants that still want it.
        """
        if self.result.over:
            return True
        if self.items[key].step.number > self.settings.step.number:
            return False
        now = len(self.result.leaders)
        return any(self._round.get(name, 0) <= now for name in names)

    def look(
        self, finished: Mapping[str, RunFolder], failed: Collection[str]
    ) -> dict[str, str]:
        """Hold the looks that are due.

        Args:
            finished: run folders by the keys of their notebooks.
            failed: names of variants.

        Returns:
            The variants that fall out now, and why; those that have finished do not.
        """
        measured = {
            name: list(self._rounds(entry, finished, failed))
            for name, entry in self.entries.items()
        }
        told = sum(map(len, measured.values()))
        if told == self._told:
            return {}
        self._told = told
        result = run_race(
            measured, looks=self.result.looks, spread=self.settings.spread
        )
        new = [name for name in result.dropped if name not in self.result.dropped]
        self.result = result
        if result.winner and not self.again:
            winner = self.entries[result.winner]
            self.again = fresh_variant(self.sweep, winner, at=self.settings.at)
        return {
            variant.name: _reason(result.dropped[name], result.looks)
            for name in new
            for variant in self.entries[name].rounds
            if not all(key in finished for key in self._keys[variant.name])
        }

    def _rounds(
        self,
        entry: Contestant,
        finished: Mapping[str, RunFolder],
        failed: Collection[str],
    ) -> Iterator[Measurement | None]:
        """What was measured, round by round, up to the first that is missing."""
        for variant in entry.rounds:
            name = variant.name
            if name in self._known:
                yield self._known[name]
                continue
            keys = self._deciding(self._keys[name])
            if all(key in finished for key in keys):
                self._known[name] = self._read(finished[key] for key in keys)
                yield self._known[name]
            elif name in failed:
                yield None
            else:
                return

    def _deciding(self, keys: Iterable[str]) -> list[str]:
        """Those of the step by which the race is decided."""
        return [k for k in keys if self.items[k].step == self.settings.step]

    def _read(
        self, folders: Iterable[RunFolder], *, base: bool = False
    ) -> Measurement | None:
        try:
            return measurement(list(folders), self.settings, base=base)
        except PhiKitError:  # a file was changed: nothing to compare
            return None

    # --- what came of it ---

    def lines(self, finished: Mapping[str, RunFolder]) -> Iterator[str]:
        """The looks, the winner's two figures and what was saved, as text."""
        result, race = self.result, self.settings
        where = race.step.folder + f", arm {race.arm}" * (race.at == "probe_sft")
        yield (
            f"race at {where}: {plural(len(self.entries), 'contestant')}, "
            f"{len(result.leaders)} of {plural(result.looks, 'look')} held, "
            f"{len(result.dropped)} dropped"
        )
        for number, leader in enumerate(result.leaders, 1):
            yield f"  look {number}: {leader or 'nobody'} leads"
            for name, one in result.dropped.items():
                if one.look == number:
                    yield f"    {name} is dropped: {_figures(one)}"
        if result.winner:
            yield from self._winner(finished)
        if result.dropped:
            yield f"  {self._saved(finished)}"

    def _winner(self, finished: Mapping[str, RunFolder]) -> Iterator[str]:
        rounds = self.entries[self.result.winner].rounds
        folders = [
            [finished[key] for key in self._deciding(self._keys[one.name])]
            for one in rounds
        ]
        own = item_means(filter(None, (self._known[one.name] for one in rounds)))
        base = item_means(filter(None, (self._read(f, base=True) for f in folders)))
        chosen_by = held_out(own, base)
        yield f"  the winner, by the items it was chosen by: {_said(chosen_by)}"
        again = self._again_folders(finished)
        if not again:
            yield "  on fresh samples: not measured yet"
            return
        fresh, before = self._read(again), self._read(again, base=True)
        if not fresh or not before:
            yield "  on fresh samples: nothing to compare"
            return
        found, start = item_means([fresh]), item_means([before])
        unseen = {item: rate for item, rate in found.items() if item not in own}
        what = "fresh items, seeds and training"
        if len(unseen) < MIN_ITEMS:
            unseen, what = found, "the same items; fresh seeds and training"
        yield f"  measured again ({what}): {_said(held_out(unseen, start))}"
        yield "  The best of many looks better than it is: quote the second figure."

    def _again_folders(self, finished: Mapping[str, RunFolder]) -> list[RunFolder]:
        """Where the winner was measured again; none as long as a part is missing."""
        keys = self._deciding(self._again_keys())
        return [finished[k] for k in keys] if all(k in finished for k in keys) else []

    def _again_keys(self) -> list[str]:
        name = self.again.name if self.again else ""
        return [key for key, item in self.items.items() if name in item.units]

    def _saved(self, finished: Mapping[str, RunFolder]) -> str:
        """What was not run, by what the same notebooks took here."""
        out = {
            variant.name
            for name in self.result.dropped
            for variant in self.entries[name].rounds
        }
        left_out = [
            key
            for key, item in self.items.items()
            if key not in finished and set(item.units) <= out
        ]
        took: dict[str, list[float]] = {}
        for key, folder in finished.items():
            seconds = float(folder.manifest["seconds"])
            took.setdefault(self.items[key].step.name, []).append(seconds)
        known = [took.get(self.items[key].step.name) for key in left_out]
        seconds = sum(sum(each) / len(each) for each in known if each)
        text = (
            f"left out: {plural(len(left_out), 'notebook')}, about {duration(seconds)}"
        )
        if unknown := known.count(None):
            text += f" and {count(unknown)} more of a kind that nobody ran"
        again = [
            float(finished[key].manifest["seconds"])
            for key in self._again_keys()
            if key in finished
        ]
        if again:
            text += (
                f"; measuring the winner again: {plural(len(again), 'notebook')}, "
                f"{duration(sum(again))}"
            )
        return text


def fresh_variant(sweep: Sweep, winner: Contestant, *, at: str) -> Variant:
    """The winner's study with random numbers that no variant of the sweep has used.

    Another `rng_seed` draws other dev items and other seeds; where training seeds are
    given there are as many new ones.

    Args:
        sweep: whose winner it is.
        winner: what is measured again.
        at: the last step of it.

    Raises:
        StudyError: the base study has changed meanwhile, and has faults.
    """
    used = {unit.params.rng_seed for one in sweep.variants for unit in one.units}
    fresh = {"rng_seed": max(used) + 1}
    given = [text for one in sweep.variants for text in one.sets if is_seed(text)]
    for path in dict.fromkeys(text.partition("=")[0] for text in given):
        if path == "rng_seed":
            continue
        every = _values(path, sweep.variants)
        first = max([0, *every]) + 1
        own = len(set(_values(path, winner.rounds))) or 1
        fresh[path] = list(range(first, first + own))
    kept = [text for text in winner.rounds[0].sets if not is_seed(text)]
    sets = (*kept, *(as_set(path, value) for path, value in fresh.items()))
    mark = f"--again-{digest_json(list(sets))[:_MARK]}"
    name = f"{winner.name[: MAX_NAME - len(mark)]}{mark}"
    source = read(sweep.base)
    study, faults = config.check(
        source, sweep.base, sets, variant=f"{sweep.name}/{name}"
    )
    config.raise_faults(sweep.base, faults)
    return Variant(name, sets, study, units_up_to(study, at))


def _values(path: str, variants: Iterable[Variant]) -> list[int]:
    """The seeds that some variants set at a path."""
    found: list[int] = []
    for text in (text for one in variants for text in one.sets):
        if text.startswith(f"{path}="):
            value = json.loads(text.partition("=")[2])
            found += value if isinstance(value, list) else [value]
    return found


def _reason(one: Comparison, looks: int) -> str:
    return f"behind {one.leader} at look {one.look} of {looks}: {_figures(one)}"


def _figures(one: Comparison) -> str:
    gain = one.gain
    return (
        f"{points(gain.delta)} points ({points_span(gain.low, gain.high)}), "
        f"{gain.n} items, corrected p {one.p_holm:.2g}"
    )


def _said(found: HeldOut) -> str:
    own, gain = found
    return (
        f"{percent(own.accuracy)} ({percent_span(own.low, own.high)}, n = {own.n}), "
        f"{points(gain.delta)} points over base ({points_span(gain.low, gain.high)})"
    )
