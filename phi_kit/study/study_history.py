"""Every benchmark over time: all finished studies of `runs/`, with their intervals.

A study's place in the history is its run folder: nothing is kept twice, and what is
deleted is gone from the page. A study that was run again stands there as it is now.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from phi_kit.core.errors import RunError
from phi_kit.core.finished_run import MANIFEST, RunFolder
from phi_kit.core.number_format import percent, percent_span
from phi_kit.core.paths import runs_root
from phi_kit.core.step_table import BENCHMARK

from .report.published import NOTE, TABLE, Published
from .results_export import ScoredTask, scored_study

PAGE = "history.html"
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:0 0 2rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}
td.number{font-variant-numeric:tabular-nums}
.bar{background:#eceef0;height:.7rem;position:relative;min-width:12rem}
.span{background:#7a9cc6;height:100%;position:absolute}
.mark{background:#12355b;width:2px;height:100%;position:absolute}
"""
# Which published row a benchmark of the table stands beside.
_PUBLISHED = {
    "aime-2024": "AIME 2024",
    "aime-2025": "AIME 2025",
    "omni-math": "OmniMath",
    "gpqa-diamond": "GPQA-Diamond",
    "ifeval": "IFEval strict",
    "humaneval-plus": "HumanEval+",
    "livecodebench": "LiveCodeBench 8/24-1/25",
}


@dataclass(frozen=True)
class PastScore:
    """One score of one study: when, of which model, with its interval."""

    study: str
    finished: str
    model: str
    task: ScoredTask


def past_scores() -> dict[str, list[PastScore]]:
    """Scores of every finished study by benchmark, the earliest first.

    A study whose folder is damaged is left out.
    """
    found: dict[str, list[PastScore]] = {}
    for study in _studies():
        with suppress(RunError):
            scored = scored_study(study)
            when = scored.finished.isoformat(timespec="minutes")
            for task in scored.tasks:
                past = PastScore(study, when, scored.model_name(task.model), task)
                found.setdefault(task.task, []).append(past)
    return {
        task: sorted(scores, key=lambda one: (one.finished, one.study))
        for task, scores in sorted(found.items())
    }


def _studies() -> Iterator[str]:
    root = runs_root()
    for depth in ("*", "*/*"):  # a study, or a variant of a sweep
        for path in sorted(root.glob(f"{depth}/{BENCHMARK.folder}/{MANIFEST}")):
            name = path.parent.parent.relative_to(root).as_posix()
            if RunFolder.of(name, BENCHMARK).path == path.parent:
                yield name


def write_history() -> Path:
    """Write `runs/history.html`: a table of each benchmark, no script, no network."""
    from phi_kit.core.files import write_atomic

    path = runs_root() / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "\n".join(_page(past_scores())))
    return path


def _page(history: dict[str, list[PastScore]]) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
    yield f"<title>History of studies</title><style>{_STYLE}</style></head>\n<body>"
    yield "<h1>Every benchmark over time</h1>"
    yield (
        "<p>pass@1 of the finished studies in <code>runs/</code>, with 95&nbsp;% "
        "intervals. Scores of other items, or asked otherwise, are no comparison: "
        "<code>phi-kit compare</code> pairs what can be paired.</p>"
    )
    if not history:
        yield "<p>No study has finished step 7 yet.</p>"
    for task, scores in history.items():
        yield from _table(task, scores)
    yield "<h2>Phi-4-reasoning, as published</h2>"
    yield f"<p>{html.escape(NOTE)}</p>"
    yield "<table><thead><tr><th>benchmark</th><th>Phi-4-reasoning</th><th>-plus</th>"
    yield "<th>others</th><th>from its</th></tr></thead><tbody>"
    for row in TABLE:
        cells = (
            row.benchmark,
            f"{row.phi4_reasoning:.1f}",
            f"{row.plus:.1f}",
            row.others,
            row.source,
        )
        yield _row(cells)
    yield "</tbody></table>\n</body>\n</html>"


def _table(task: str, scores: Sequence[PastScore]) -> Iterator[str]:
    yield f"<h2>{html.escape(task)}</h2>"
    if published := _published(task):
        yield (
            f"<p>Phi-4-reasoning (14B): {published.phi4_reasoning:.1f}, -plus "
            f"{published.plus:.1f} ({published.source}).</p>"
        )
    yield "<table><thead><tr><th>finished (UTC)</th><th>study</th><th>model</th>"
    yield "<th>pass@1</th><th>95 % interval</th><th>items</th><th></th></tr></thead>"
    yield "<tbody>"
    for past in scores:
        score = past.task.score
        cells = (
            past.finished[:16].replace("T", " "),
            past.study,
            past.model,
            percent(score.accuracy),
            percent_span(score.low, score.high),
            str(score.n),
        )
        yield _row(cells, last=_bar(score.accuracy, score.low, score.high))
    yield "</tbody></table>"


def _published(task: str) -> Published | None:
    name = _PUBLISHED.get(task)
    return next((row for row in TABLE if row.benchmark == name), None)


def _row(cells: Sequence[str], *, last: str = "") -> str:
    inside = "".join(f'<td class="number">{html.escape(cell)}</td>' for cell in cells)
    return f"<tr>{inside}{f'<td>{last}</td>' if last else ''}</tr>"


def _bar(value: float, low: float, high: float) -> str:
    """The interval and the score on a line from 0 to 1; the numbers stand beside it."""
    return (
        '<div class="bar" aria-hidden="true">'
        f'<div class="span" style="left:{100 * low:.1f}%;'
        f'width:{100 * (high - low):.1f}%"></div>'
        f'<div class="mark" style="left:{100 * value:.1f}%"></div></div>'
    )
