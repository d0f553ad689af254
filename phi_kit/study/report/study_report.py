"""The report of a study: one HTML file with everything its steps found.

It holds its figures and needs no network, no JavaScript and no other file, so
it can be mailed or archived. A study may be half done: the report shows the
steps that have finished and names the others.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from phi_kit.core import step_table
from phi_kit.core.errors import RunError, StudyError, did_you_mean
from phi_kit.core.files import write_atomic
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.folder_names import domain_fault, place_fault
from phi_kit.core.number_format import NOTHING, count, duration, percent
from phi_kit.core.paths import REPORT, display_path, runs_root
from phi_kit.core.step_table import STEPS
from phi_kit.core.yaml12 import shown as printable
from phi_kit.stats.comparison import NOT_CONSTANT
from phi_kit.study.notebook.scrub import scrubbed_text
from phi_kit.study.time_use import time_use

from . import findings, published, step_facts, tables

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
# The steps that run once per domain, and those that run once per study.
PER_DOMAIN = [step for step in STEPS if step.per_domain]
PER_STUDY = [step for step in STEPS if not step.per_domain]
# The class of a verdict on the page.
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "cannot tell": "cannot-tell",
    NOT_CONSTANT: "only-base",
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
            result = tables.mapped(manifest, "result")
            tables.of_step(self.number, result)
            step_facts.of_step(self.number, result)
            _findings(self.number, self.domain, result)
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
    def result(self) -> Mapping[str, Any]:
        """The step's findings; empty if there are none."""
        return tables.mapped(self.manifest, "result")

    @property
    def tables(self) -> list[tables.Table]:
        """Its numbers as tables."""
        return tables.of_step(self.number, self.result)

    @property
    def findings(self) -> list[findings.Finding]:
        """What it found, in sentences; empty for a step that finds none."""
        return _findings(self.number, self.domain, self.result)

    @property
    def facts(self) -> dict[str, str]:
        """Its single values by name."""
        return step_facts.of_step(self.number, self.result)

    @property
    def params(self) -> dict[str, str]:
        """Its parameters as text."""
        recorded = tables.mapped(self.manifest, "params")
        return {name: tables.plain(value) for name, value in recorded.items()}

    @property
    def duration(self) -> str:
        """How long it took."""
        return duration(self.manifest.get("seconds"))

    @property
    def samples(self) -> str:
        """How many it asked for, and how many of them the ledger had."""
        counted = tables.mapped(self.manifest, "samples")
        both = (counted.get(name) for name in ("asked", "from_ledger"))
        return " / ".join(map(count, both)) if counted else NOTHING

    @property
    def figures(self) -> Iterator[str]:
        """Its figures as `data:` addresses."""
        for path in sorted(self.folder.path.glob("figures/*.png")):
            code = base64.b64encode(path.read_bytes()).decode()
            yield f"data:image/png;base64,{code}"

    @property
    def flow(self) -> dict[str, Any]:
        """Rows read, kept and dropped; empty if the step counts none."""
        flow = tables.mapped(self.manifest, "flow")
        if not flow.get("read"):
            return {}
        read, kept = flow["read"], flow.get("kept") or 0
        unread = flow.get("unread") or 0
        beyond = f" of {count(read + unread)}; a limit left the others" * bool(unread)
        dropped = sorted(
            tables.mapped(flow, "dropped").items(), key=lambda item: -item[1]
        )
        return {
            "sum": f"{count(kept)} kept + {count(read - kept)} dropped = "
            f"{count(read)} read{beyond}",
            "rows": [(why, count(n), percent(n / read)) for why, n in dropped],
            "lost": read - kept - sum(n for _, n in dropped),
        }


def _findings(
    number: int, domain: str, result: Mapping[str, Any]
) -> list[findings.Finding]:
    if number == 4:
        return findings.teachable_or_random(domain, result)
    if number == 6:
        return findings.after_merging(tables.listed(result, "retention"))
    if number == 7:
        return findings.on_benchmarks(tables.listed(result, "scores"))
    return []


@dataclass(frozen=True)
class StudyReport:
    """Everything a study has finished, in the order of the method."""

    name: str
    root: Path

    @cached_property
    def domains(self) -> dict[str, list[StepReport]]:
        """Steps 1 to 5 of every domain."""
        return {
            domain: [self._step(step, domain) for step in PER_DOMAIN]
            for domain in self._domain_names()
        }

    @cached_property
    def last(self) -> list[StepReport]:
        """Steps 6 and 7."""
        return [self._step(step) for step in PER_STUDY]

    @property
    def steps(self) -> list[StepReport]:
        """All steps, domain by domain."""
        return [
            *(step for steps in self.domains.values() for step in steps),
            *self.last,
        ]

    @property
    def done(self) -> list[StepReport]:
        """The steps that have finished."""
        return [step for step in self.steps if step.manifest]

    @property
    def missing(self) -> list[StepReport]:
        """The steps that have not."""
        return [step for step in self.steps if not step.manifest]

    @property
    def verdicts(self) -> list[findings.Finding]:
        """What was found, the final result first."""
        return [
            finding
            for number in (7, 4, 6)
            for step in self.steps
            if step.number == number
            for finding in step.findings
        ]

    @property
    def models(self) -> str:
        """The base models the steps name; more than one is worth noticing."""
        return ", ".join(self._all("params", "model"))

    @property
    def versions(self) -> dict[str, str]:
        """Versions by package, all of them where steps differ."""
        names = dict.fromkeys(
            name
            for step in self.done
            for name in tables.mapped(step.manifest, "versions")
        )
        return {name: ", ".join(self._all("versions", name)) for name in names}

    @property
    def replayed(self) -> list[StepReport]:
        """The steps that no model has carried out: a ledger was replayed."""
        return [step for step in self.done if step.manifest.get("replayed")]

    @property
    def total(self) -> str:
        """How long the finished steps took together."""
        return duration(sum(step.manifest.get("seconds") or 0 for step in self.done))

    @property
    def time_use(self) -> str:
        """Where their time went; empty if a step does not say."""
        return str(time_use([step.folder for step in self.done]) or "")

    @property
    def finished(self) -> str:
        """When the last step finished."""
        return max(
            (str(step.manifest.get("finished", "")) for step in self.done), default=""
        )

    def title_of(self, domain: str) -> str:
        """A domain's title as step 1 gives it, else its name."""
        return str(self.domains[domain][0].result.get("title") or domain)

    def _step(self, step: step_table.Step, domain: str = "") -> StepReport:
        return StepReport(step, domain, RunFolder.of(self.name, step, domain=domain))

    def _domain_names(self) -> list[str]:
        # In the order of the study file; folders that it does not name come after.
        lists = [
            tables.mapped(step.manifest, "params").get("domains") for step in self.last
        ]
        listed = [
            domain
            for names in lists
            if isinstance(names, list)
            for domain in names
            if not domain_fault(domain)
        ]
        folders = sorted(
            folder.name
            for folder in self.root.iterdir()
            if folder.name[0] != "." and _has_any(folder, PER_DOMAIN)
        )
        return list(dict.fromkeys([*listed, *folders]))

    def _all(self, part: str, key: str) -> list[str]:
        every = (tables.mapped(step.manifest, part).get(key) for step in self.done)
        return sorted({str(value) for value in every if value})


def read(study: str) -> StudyReport:
    """A study's finished steps.

    Raises:
        StudyError: no step of that study was ever started here.
    """
    root = runs_root() / study
    report = StudyReport(study, root)
    exists = not place_fault(study) and root.is_dir()
    if exists and (report.domains or _has_any(root, PER_STUDY)):
        return report
    others = [folder.name for folder in runs_root().glob("*/") if folder.name[0] != "."]
    name = printable(study)
    raise StudyError(
        f"there is no run of a study '{name}'{did_you_mean(name, others)}",
        where=display_path(runs_root()),
        todo=f"run it first: phi-kit run params/{name}.yaml; or correct the name",
    )


def _has_any(folder: Path, steps: Iterable[step_table.Step]) -> bool:
    """Whether a folder holds a run folder of any of these steps."""
    return any((folder / step.folder).is_dir() for step in steps)


@cache
def _template() -> Template:
    """The page's template, compiled once."""
    text = Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)


def write(study: str) -> Path:
    """Write `runs/<study>/report.html` from whatever steps have finished.

    Raises:
        StudyError: no step of that study was ever started here.
    """
    report = read(study)
    page = _template().render(study=report, published=published, verdicts=VERDICTS)
    path = report.root / REPORT
    write_atomic(path, scrubbed_text(page))  # a study's files may lie anywhere
    return path
