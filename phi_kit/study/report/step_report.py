"""One step of a study as the report's page shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from phi_kit.core import step_table
from phi_kit.core.errors import RunError
from phi_kit.core.figures import figure_description, figure_html
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.number_format import NOTHING, count, duration, percent
from phi_kit.core.step_run import NOTEBOOK
from phi_kit.core.time_spent import SAMPLING, TRAINING

from . import findings, step_facts, step_sentences, step_tables
from .table_form import Result, Table, listed, mapped, plain

# What a step is called on the page, and the question it answers.
WORDS = {
    "pick_domain": ("Pick a domain", "Where does the base model stand?"),
    "collect_seeds": ("Collect seeds", "Which rows are clean enough to learn from?"),
    "filter_edge": (
        "Filter to the edge",
        "Which seeds can the base model learn from?",
    ),
    "probe_sft": (
        "Probe with short runs",
        "Does training on teachable seeds beat random ones?",
    ),
    "synthesize": ("Synthesize variants", "Which rewrites survive checking?"),
    "expand_domains": (
        "Expand to all domains",
        "Do the domains help or hurt each other?",
    ),
    "benchmark": ("Benchmark", "What did the final adapter gain?"),
}


@dataclass(frozen=True)
class StepReport:
    """One step of a study, finished or not, as the template shows it."""

    step: step_table.Step
    domain: str
    folder: RunFolder

    @property
    def name(self) -> str:
        """Its folder, `03_filter_edge`."""
        return self.step.folder

    @cached_property
    def _read(self) -> tuple[dict[str, Any], str]:
        try:
            manifest, _ = self.folder.manifest, self.folder.outcome
            # Whatever form the result has, a page is made, or says why not.
            result, flow = mapped(manifest, "result"), mapped(manifest, "flow")
            step_tables.of_step(self.number, result)
            step_facts.of_step(self.number, result)
            step_sentences.of_step(self.number, result, flow)
            findings_of(self.number, self.domain, result)
            return manifest, ""
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            return {}, f"{self.name} has a result that cannot be shown: {error}"
        except RunError as error:
            return {}, error.what if self.folder.finished else ""

    @property
    def manifest(self) -> dict[str, Any]:
        """What the step's manifest says; empty if it has not finished."""
        return self._read[0]

    @property
    def fault(self) -> str:
        """Why a step is not shown though it has a manifest."""
        return self._read[1]

    @property
    def number(self) -> int:
        """1 to 7."""
        return self.step.number

    @property
    def place(self) -> str:
        """Its folder inside the study's."""
        return f"{self.domain}/{self.name}".lstrip("/")

    @property
    def title(self) -> str:
        """Its name in words: `Filter to the edge`."""
        return WORDS[self.step.name][0]

    @property
    def question(self) -> str:
        """What the step answers."""
        return WORDS[self.step.name][1]

    @property
    def result(self) -> Result:
        """The step's findings; empty if there are none."""
        return mapped(self.manifest, "result")

    @property
    def sentence(self) -> str:
        """What it came to; empty if its result does not say."""
        flow = mapped(self.manifest, "flow")
        return step_sentences.of_step(self.number, self.result, flow)

    @property
    def tables(self) -> list[Table]:
        """Its numbers as tables."""
        return step_tables.of_step(self.number, self.result)

    @property
    def findings(self) -> list[findings.Finding]:
        """What it found, in sentences; empty for a step that finds none."""
        return findings_of(self.number, self.domain, self.result)

    @property
    def facts(self) -> dict[str, str]:
        """Its single values by name."""
        return step_facts.of_step(self.number, self.result)

    @property
    def params(self) -> dict[str, str]:
        """Its parameters as text."""
        recorded = mapped(self.manifest, "params")
        return {name: plain(value) for name, value in recorded.items()}

    @property
    def duration(self) -> str:
        """How long it took."""
        return duration(self.manifest.get("seconds"))

    @property
    def spent(self) -> str:
        """How long of it went into sampling and training; a dash if it does not say."""
        times = mapped(self.manifest, "spent")
        both = (times.get(part) for part in (SAMPLING, TRAINING))
        words = [duration(seconds) or NOTHING for seconds in both]
        return NOTHING if set(words) == {NOTHING} else " / ".join(words)

    @property
    def samples(self) -> str:
        """How many it asked for, and how many of them the ledger had."""
        counted = mapped(self.manifest, "samples")
        both = (counted.get(name) for name in ("asked", "from_ledger"))
        return " / ".join(map(count, both)) if counted else NOTHING

    @property
    def paid(self) -> str:
        """Tokens that a model wrote for it, and their price where there is one."""
        counted = mapped(self.manifest, "samples")
        tokens, cost = count(counted.get("paid_tokens")), counted.get("cost")
        return f"{tokens} ({cost:,.2f})" if isinstance(cost, int | float) else tokens

    @property
    def notebook(self) -> str:
        """The address of its executed notebook beside the page; empty without one."""
        path = self.folder.path / NOTEBOOK
        return quote(f"{self.place}/{NOTEBOOK}") if path.is_file() else ""

    @property
    def figures(self) -> Iterator[Markup]:
        """Its figures, each with what it shows in words."""
        for path in sorted(self.folder.path.glob("figures/*.png")):
            yield Markup(self._figure(path))

    def _figure(self, png: Path) -> str:
        image = png.read_bytes()
        try:
            words = figure_description(image)
        except (OSError, SyntaxError):  # what Pillow raises at a damaged file
            words = ""
        svg = png.with_suffix(".svg")
        return figure_html(
            svg.read_bytes() if svg.is_file() else image,
            words=words or f"{self.question} {self.sentence}",
            caption=f"{self.place}, {png.stem.replace('_', ' ')}",
        )

    @property
    def flow(self) -> dict[str, Any]:
        """Rows read, kept and dropped; empty if the step counts none."""
        flow = mapped(self.manifest, "flow")
        if not flow.get("read"):
            return {}
        read, kept = flow["read"], flow.get("kept") or 0
        unread = flow.get("unread") or 0
        beyond = f" of {count(read + unread)}; a limit left the others" * bool(unread)
        dropped = sorted(mapped(flow, "dropped").items(), key=lambda item: -item[1])
        return {
            "sum": f"{count(kept)} kept + {count(read - kept)} dropped = "
            f"{count(read)} read{beyond}",
            "rows": [(why, count(n), percent(n / read)) for why, n in dropped],
            "lost": read - kept - sum(n for _, n in dropped),
        }


def findings_of(
    number: int, domain: str, result: Mapping[str, Any]
) -> list[findings.Finding]:
    """What a step found, in sentences; empty for a step that finds none."""
    if number == 4:
        return findings.teachable_or_random(domain, result)
    if number == 6:
        merged = findings.after_merging(listed(result, "retention"))
        return [*merged, *findings.on_made_rows(listed(result, "organic"))]
    if number == 7:
        told = findings.on_benchmarks(listed(result, "scores"))
        return [*told, *findings.on_decision(result)]
    return []
