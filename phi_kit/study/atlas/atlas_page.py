"""The atlas of a sweep: `atlas.parquet`, and `atlas.html` that needs nothing else.

The page is plain SVG and a few hundred lines of JavaScript. Altair with its runtime
inlined is 1.05 MB before the first item, needs `unsafe-eval`, and has no table to sort.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from phi_kit.core.errors import disk_errors
from phi_kit.core.files import write_atomic
from phi_kit.core.number_format import plural
from phi_kit.core.paths import REPORT, runs_root
from phi_kit.study.report.page import page
from phi_kit.study.sweep.variant_names import short_labels

from .atlas_measures import LETTERS, Measure, measures
from .parameter_effects import is_repeat, varied
from .variant_results import VariantResult, item_families, variant_results

if TYPE_CHECKING:
    import pandas as pd

_TEMPLATE = Path(__file__).with_name("atlas.html.j2")
_SCRIPT = Path(__file__).with_name("atlas.js")
_DIGITS = 4  # of a fraction in the page; the table has them all
_ORDER = ("finished", "failed", "in flight", "waiting")


class Atlas(NamedTuple):
    """What was written."""

    page: Path
    table: Path


def write(sweep: str) -> Atlas:
    """Write `runs/<sweep>/atlas.html` and `atlas.parquet`.

    Raises:
        StudyError: there is no such sweep.
        RunError: the disk is full.
    """
    variants = variant_results(sweep)
    measured = measures(variants)
    folder = runs_root() / sweep
    table = folder / "atlas.parquet"
    with disk_errors(table):
        atlas_table(variants, measured).to_parquet(table, index=False)
    path = folder / "atlas.html"
    script = _SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = page(
        _TEMPLATE,
        sweep=sweep,
        counts=_counts(variants),
        measured=bool(measured),
        script=Markup(script),
        script_digest=digest,
        data=_packed(_page_data(sweep, variants, measured)),
    )
    write_atomic(path, text)
    return Atlas(path, table)


def atlas_table(
    variants: Sequence[VariantResult], measured: Sequence[Measure]
) -> pd.DataFrame:
    """One row for each variant and measure; a variant without any has one, too.

    Parameters are columns by their paths, as JSON where their values differ in kind.
    """
    import pandas as pd

    paths = dict.fromkeys(path for one in variants for path in one.sets)
    rows = []
    for place, variant in enumerate(variants):
        own = [measure for measure in measured if place in measure.scores]
        known = {
            "variant": variant.name,
            "kind": variant.kind,
            **{path: _cell(variant.sets.get(path)) for path in paths},
            "seconds": variant.seconds,
            "tokens": variant.tokens,
            "notebook": variant.notebook,
            "failed_at": variant.failure.title if variant.failure else "",
            "failure": variant.failure.why if variant.failure else "",
        }
        rows += [known | _scores(measure, place) for measure in own] or [known]
    table = pd.DataFrame(rows)
    return table.assign(
        **{
            path: table[path].map(lambda value: json.dumps(value), na_action="ignore")
            for path in paths
            if len({type(value) for value in table[path].dropna()}) > 1
        }
    )


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _scores(measure: Measure, place: int) -> dict[str, Any]:
    score, what = measure.scores[place], measure.what
    gain = score.gain or (None, None, None)
    return {
        **what._asdict(),
        "n": len(measure.ids),
        "accuracy": score.accuracy,
        "low": score.low,
        "high": score.high,
        **dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True)),
    }


def _counts(variants: Sequence[VariantResult]) -> str:
    """`24 variants: 23 finished, 1 failed`."""
    kinds = [one.kind for one in variants]
    parts = [f"{kinds.count(kind)} {kind}" for kind in _ORDER if kind in kinds]
    return f"{plural(len(variants), 'variant')}: {', '.join(parts)}"


def _page_data(
    sweep: str, variants: Sequence[VariantResult], measured: Sequence[Measure]
) -> dict[str, Any]:
    """What the page's script reads."""
    paths = varied([one.sets for one in variants])
    labels = short_labels(paths)
    return {
        "letters": LETTERS,
        "params": [
            {"path": path, "label": labels[path], "seed": is_repeat(path)}
            for path in paths
        ],
        "variants": [
            {
                "name": one.name,
                "kind": one.kind,
                "sets": [_shown(one.sets.get(path)) for path in paths],
                "seconds": round(one.seconds, 1),
                "tokens": one.tokens,
                "opens": quote(_to_read(sweep, one)),
            }
            for one in variants
        ],
        "failures": _failures(variants),
        "measures": [_measure_data(sweep, variants, one, labels) for one in measured],
    }


def _to_read(sweep: str, variant: VariantResult) -> str:
    """A variant's report, from the sweep's folder; without one its last notebook."""
    report = f"{variant.name}/{REPORT}"
    return report if (runs_root() / sweep / report).is_file() else variant.notebook


def _shown(value: Any) -> Any:
    """A number as it is, to sort by; everything else as text."""
    plain = value is None or isinstance(value, int | float | str)
    return value if plain and not isinstance(value, bool) else json.dumps(value)


def _failures(variants: Sequence[VariantResult]) -> list[dict[str, Any]]:
    """Failed variants by where they failed and the first line of why."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(variants):
        if one.failure:
            first = (one.failure.why.splitlines() or [""])[0]
            kinds.setdefault((one.failure.title, first), []).append(place)
    ordered = sorted(kinds.items(), key=lambda item: -len(item[1]))
    return [{"at": at, "why": why, "variants": places} for (at, why), places in ordered]


def _measure_data(
    sweep: str,
    variants: Sequence[VariantResult],
    measure: Measure,
    labels: dict[str, str],
) -> dict[str, Any]:
    first = variants[next(iter(measure.scores))].name
    families = item_families(sweep, first, measure.what)
    return {
        "label": measure.label,
        "ids": measure.ids,
        "families": [families.get(name, "") for name in measure.ids],
        "parts": measure.parts,
        "scores": {
            place: [
                *(round(x, _DIGITS) for x in (score.accuracy, score.low, score.high)),
                *(round(x, _DIGITS) for x in score.gain or ()),
            ]
            for place, score in measure.scores.items()
        },
        "items": {place: score.packed for place, score in measure.scores.items()},
        "effects": [
            {
                "label": labels.get(one.path, one.path),
                "value": one.value,
                "reference": one.reference,
                "pairs": one.pairs,
                "gain": [
                    round(x, _DIGITS)
                    for x in (one.gain.delta, one.gain.low, one.gain.high)
                ],
                "verdict": one.verdict,
            }
            for one in measure.effects
        ],
        "spreads": [
            {
                "sets": ", ".join(
                    f"{labels[path]} {_shown(value)}"
                    for path, value in one.sets.items()
                    if path in labels
                ),
                "accuracies": [round(x, _DIGITS) for x in one.accuracies],
                "deviation": round(one.deviation, _DIGITS),
            }
            for one in measure.spreads
        ],
        "deviation": measure.deviation,
    }


def _packed(data: dict[str, Any]) -> str:
    """JSON, compressed, as text; the same data are the same bytes."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
