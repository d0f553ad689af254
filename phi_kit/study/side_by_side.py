"""Finished studies side by side, paired item by item where their items are the same.

An item's id is made of its content, so equal ids are equal questions, whoever asked
them. Where two studies asked no common item, each has an interval of its own and
their difference an unpaired one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from phi_kit.core import step_table
from phi_kit.core.errors import RunError, StudyError, did_you_mean
from phi_kit.core.finished_run import MANIFEST, RunFolder
from phi_kit.core.number_format import (
    aligned_table,
    percent,
    percent_span,
    plural,
    points,
    points_span,
)
from phi_kit.core.outcome_params import NO_OUTCOME
from phi_kit.core.paths import display_path, runs_root
from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.core.yaml12 import shown as printable
from phi_kit.evaluation.adapter_matrix import GUESS
from phi_kit.stats import comparison
from phi_kit.stats.intervals import Accuracy, accuracy
from phi_kit.study.config import name_of

if TYPE_CHECKING:
    import pandas as pd

RNG_SEED = 7  # of the intervals (kit default)
_LONGEST = 40  # characters of a parameter's value
_STEP = "[0-9][0-9]_*"


class Measured(NamedTuple):
    """What was measured: a domain, `dev` or `test`, and the arm or the model."""

    domain: str
    split: str
    who: str


@dataclass(frozen=True)
class ItemScores:
    """Accuracies of one study on the items of one split.

    Attributes:
        runs: one row per training run, one column per item.
        ids: of the items.
    """

    runs: np.ndarray
    ids: tuple[str, ...]

    @classmethod
    def of(cls, samples: pd.DataFrame) -> ItemScores:
        """From the samples of one arm; an item that got no answer is left out."""
        answered = samples[~samples.finish.isin(UNANSWERED).to_numpy()]
        ids, item = np.unique(answered.seed_id.to_numpy(str), return_inverse=True)
        run = np.zeros(len(answered), int)
        if "train_seed" in answered:
            run = answered.train_seed.factorize(sort=True, use_na_sentinel=False)[0]
        # A pivot table says the same, in several times the time.
        place, shape = run * len(ids) + item, (run.max(initial=0) + 1, len(ids))
        size = shape[0] * shape[1]
        asked = np.bincount(place, minlength=size).reshape(shape)
        right = answered.verdict.to_numpy() == "right"
        rates = np.bincount(place, right, size).reshape(shape) / np.maximum(asked, 1)
        everywhere = (asked > 0).all(axis=0)
        return cls(rates[:, everywhere], tuple(ids[everywhere].tolist()))

    def on(self, ids: Sequence[str]) -> np.ndarray:
        """The columns of these items."""
        place = {name: column for column, name in enumerate(self.ids)}
        return self.runs[:, [place[name] for name in ids]]

    @property
    def accuracy(self) -> Accuracy:
        """Over items, and over runs where there are several."""
        if not self.ids:
            return accuracy([], rng_seed=RNG_SEED)
        return comparison.accuracy_over_seeds(self.runs, rng_seed=RNG_SEED)


@dataclass(frozen=True)
class Difference:
    """One study against the first.

    Attributes:
        gain: of the study over the first one.
        p: two-sided.
        common: items that both asked; 0 if the difference is not paired.
    """

    gain: comparison.Gain
    p: float
    common: int


def difference(first: ItemScores, other: ItemScores) -> Difference | None:
    """How two studies differ, paired where they have items in common.

    Returns:
        `None` where every common item came out the same: one run, taken over.
    """
    common = sorted(set(first.ids) & set(other.ids))
    if not common:
        before, after = first.runs.mean(axis=0), other.runs.mean(axis=0)
        gain = comparison.unpaired_gain(before, after, rng_seed=RNG_SEED)
        p = comparison.unpaired_p_value(before, after, rng_seed=RNG_SEED)
        return Difference(gain, p, 0)
    before, after = first.on(common), other.on(common)
    if before.shape == after.shape and (before == after).all():
        return None
    gain = comparison.gain_over_seeds(before, after, rng_seed=RNG_SEED)
    p = comparison.paired_p_value(
        before.mean(axis=0), after.mean(axis=0), rng_seed=RNG_SEED
    )
    return Difference(gain, p, len(common))


def chosen_studies(names: Sequence[str]) -> list[str]:
    """The studies meant by names, files and patterns such as `bands/*`.

    Raises:
        StudyError: a name fits no run, or fewer than two studies are meant.
    """
    known, found = _all_studies(), []
    for name in map(name_of, names):
        fits = [one for one in known if fnmatchcase(one, name)]
        if not fits:
            near = did_you_mean(name, known)
            raise StudyError(
                f"there is no run of a study '{printable(name)}'{near}",
                where=display_path(runs_root()),
            )
        found += fits
    found = list(dict.fromkeys(found))
    if len(found) < 2:
        raise StudyError(f"one study alone is nothing to compare: {found[0]}")
    return found


def _all_studies() -> list[str]:
    """Studies and variants that have finished a step."""
    root, places = runs_root(), set()
    for depth in ("*", "*/*", "*/*/*"):
        for manifest in root.glob(f"{depth}/{_STEP}/{MANIFEST}"):
            parts = manifest.parent.relative_to(root).parts
            step = parts[-1][3:].removesuffix(".old")
            per_domain = {s.name: s.per_domain for s in step_table.STEPS}.get(step)
            if per_domain is not None:
                places.add("/".join(parts[: -2 if per_domain else -1]))
    return sorted(places - {""})


def measurements(study: str) -> dict[Measured, ItemScores]:
    """All that a study has measured on held-out items: steps 4, 6 and 7.

    Raises:
        RunError: a file of it is not as its step wrote it.
    """
    found: dict[Measured, ItemScores] = {}
    for domain in _domains(study):
        probe = RunFolder.of(study, step_table.PROBE_SFT, domain=domain)
        if probe.finished:
            for arm, samples in probe.table("samples").groupby("arm", sort=False):
                found[Measured(domain, "dev", str(arm))] = ItemScores.of(samples)
    merged = RunFolder.of(study, step_table.EXPAND_DOMAINS)
    if merged.finished and "items.parquet" in merged.manifest["files"]:
        table = merged.table("items").dropna()
        adapters = table[~table.adapter.isin(["base", GUESS])]
        for (adapter, domain), own in adapters.groupby(["adapter", "domain"]):
            scores = ItemScores(own.accuracy.to_numpy()[None], tuple(own.seed_id))
            found[Measured(str(domain), "dev", f"{adapter} of step 6")] = scores
    benchmark = RunFolder.of(study, step_table.BENCHMARK)
    if benchmark.finished:
        groups = benchmark.table("samples").groupby(["domain", "model"], sort=False)
        for (domain, model), samples in groups:
            scores = ItemScores.of(samples)
            found[Measured(str(domain), "test", str(model))] = scores
    return found


def _domains(study: str) -> list[str]:
    cards = (runs_root() / study).glob(f"*/{step_table.PICK_DOMAIN}/{MANIFEST}")
    return sorted(card.parent.parent.name for card in cards)


def parameters(study: str) -> dict[str, Any]:
    """Every parameter of a study's finished steps that may change its outcome."""
    found = {}
    for path in sorted((runs_root() / study).rglob(MANIFEST)):
        folder = RunFolder(path.parent)
        if folder.path.name in {str(step) for step in step_table.STEPS}:
            inside = folder.path.parent.relative_to(runs_root() / study)
            for name, value in folder.manifest["params"].items():
                if name not in NO_OUTCOME:
                    step = folder.path.name[3:]
                    place = [*inside.parts, step, name]
                    found[".".join(place)] = value
    return found


def compare(studies: Sequence[str]) -> Iterator[str]:
    """Studies side by side as text: what they set, and what they came to.

    Verdicts are corrected by Holm for all differences shown.

    Args:
        studies: at least two; the others are held against the first.

    Raises:
        RunError: nothing was measured by two of them, or a file is damaged.
    """
    all_measured = {study: measurements(study) for study in studies}
    shared = [
        what
        for what in dict.fromkeys(w for found in all_measured.values() for w in found)
        if sum(what in found for found in all_measured.values()) > 1
    ]
    if not shared:
        raise RunError(
            "there is nothing that two of them have measured",
            where=", ".join(studies),
            todo="studies are compared by the held-out items of steps 4, 6 and 7",
        )
    yield from _settings({study: parameters(study) for study in studies})
    yield from _results(all_measured, shared)


def _settings(settings: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The parameters that are not the same in all of them."""
    names = dict.fromkeys(name for own in settings.values() for name in own)
    unlike = [
        name
        for name in names
        if len({repr(own[name]) for own in settings.values() if name in own}) > 1
    ]
    if not unlike:
        yield "every parameter that two of them have is the same"
        yield ""
        return
    rows = [
        [name, *(_cut(own[name]) if name in own else "" for own in settings.values())]
        for name in unlike
    ]
    columns = 1 + len(settings)
    yield from aligned_table([["what differs", *settings], *rows], left=columns)
    yield ""


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _results(
    found: Mapping[str, Mapping[Measured, ItemScores]], shared: Sequence[Measured]
) -> Iterator[str]:
    blocks = {
        what: {study: own[what] for study, own in found.items() if what in own}
        for what in shared
    }
    differences: dict[tuple[Measured, str], Difference | None] = {}
    for what, scores in blocks.items():
        first, *others = scores
        for study in others:
            differences[what, study] = difference(scores[first], scores[study])
    real = {place: one for place, one in differences.items() if one}
    corrected = comparison.holm_adjust([one.p for one in real.values()])
    adjusted = dict(zip(real, corrected, strict=True))
    rows = [["", "accuracy", "95 %", "n", "over the first", "95 %", "verdict"]]
    for what, scores in blocks.items():
        rows.append([f"{what.domain}, {what.split}, {what.who}"])
        for study, own in scores.items():
            row = _scores(study, own)
            if (what, study) in differences:
                one = differences[what, study]
                row += _against_first(one, adjusted.get((what, study), 1.0), own)
            rows.append(row)
    yield from aligned_table(rows)
    yield ""
    yield f"Verdicts are corrected for {plural(len(real), 'comparison')} (Holm)."
    if any(what.split == "test" for what in shared):
        yield (
            "A study that is chosen by its test items has no test items left: "
            "measure the chosen one again on fresh ones."
        )


def _scores(study: str, own: ItemScores) -> list[str]:
    found = own.accuracy
    span = percent_span(found.low, found.high)
    return [f"  {study}", percent(found.accuracy), span, str(found.n)]


def _against_first(
    one: Difference | None, adjusted: float, own: ItemScores
) -> list[str]:
    if one is None:
        return ["", "", "the same answers"]
    verdict = comparison.corrected_verdict(one.gain, adjusted)
    if not one.common:
        verdict += "; other items: not paired"
    elif one.common < len(own.ids):
        verdict += f"; paired on {one.common} items"
    gain = one.gain
    return [points(gain.delta), points_span(gain.low, gain.high), verdict]
